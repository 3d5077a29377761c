# SPDX-License-Identifier: BSD-3-Clause
# The command line is a library, so that its tests link it.
noinst_LIBRARIES += liboptions.a
liboptions_a_SOURCES = \
	src/options.c \
	src/options.def \
	src/options.h \
	src/options_help.c \
	src/options_settings.c
