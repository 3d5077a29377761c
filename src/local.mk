# SPDX-License-Identifier: BSD-3-Clause
# The command line is a library, so that its tests link it.
noinst_LIBRARIES += liboptions.a
liboptions_a_SOURCES = \
	src/options.c \
	src/options.def \
	src/options.h \
	src/options_help.c \
	src/options_peer.c \
	src/options_rules.c \
	src/options_rules.h \
	src/options_settings.c \
	src/options_table.c \
	src/options_value.c \
	src/options_value.h

bin_PROGRAMS += twincached
twincached_SOURCES = \
	src/daemon.h \
	src/daemon_stats.c \
	src/engine_options.c \
	src/engine_options.h \
	src/main.c \
	src/memory_file.c \
	src/memory_file.h \
	src/port_file.c \
	src/port_file.h \
	src/process.c \
	src/process.h \
	src/restart.c \
	src/restart.h \
	src/version.h
twincached_LDADD = liboptions.a $(LINK_ALL)

# -i prints the file as it is.
src/license.inc: $(top_srcdir)/LICENSE
	$(AM_V_GEN)$(MKDIR_P) src && \
	sed -e 's/["\\]/\\&/g' -e 's/^/"/' -e 's/$$/\\n"/' \
		$(top_srcdir)/LICENSE > $@-t && mv $@-t $@
BUILT_SOURCES += src/license.inc
CLEANFILES += src/license.inc
src/main.$(OBJEXT): src/license.inc
