dnl SPDX-License-Identifier: BSD-3-Clause
dnl The few macros of configure.ac. A flag is tried with -Werror, because
dnl clang only warns about what it does not know.

dnl TWIN_HAS_FLAG(VARIABLE-TO-TRY-IN, FLAG, IF-YES, IF-NO, COMPILE-OR-LINK)
m4_define([twin_try], [
    AC_MSG_CHECKING([whether $CC accepts $2])
    twin_saved_$1="$$1"
    twin_saved_werror="$CFLAGS"
    $1="$$1 $2"
    CFLAGS="$CFLAGS -Werror"
    m4_if([$5], [link], [AC_LINK_IFELSE], [AC_COMPILE_IFELSE])(
        [AC_LANG_PROGRAM([[#include <stddef.h>
#include <string.h>]])],
        [twin_result=yes], [twin_result=no])
    CFLAGS="$twin_saved_werror"
    $1="$twin_saved_$1"
    AC_MSG_RESULT([$twin_result])
    AS_IF([test $twin_result = yes], [$3], [$4])
])

dnl Each appends FLAG to LIST where the compiler takes it.
AC_DEFUN([TWIN_CFLAG],
    [twin_try([CFLAGS], [$2], [AS_VAR_APPEND([$1], [" $2"])], [:], [compile])])
AC_DEFUN([TWIN_CPPFLAG],
    [twin_try([CPPFLAGS], [$2], [AS_VAR_APPEND([$1], [" $2"])], [:], [compile])])
AC_DEFUN([TWIN_LDFLAG],
    [twin_try([LDFLAGS], [$2], [AS_VAR_APPEND([$1], [" $2"])], [:], [link])])
AC_DEFUN([TWIN_HAS_LDFLAG],
    [twin_try([LDFLAGS], [$1], [:], [$3], [link])])

dnl TWIN_MISSING(WHAT, DEBIAN-PACKAGE): remembers it for TWIN_REFUSE_MISSING.
AC_DEFUN([TWIN_MISSING],
    [twin_missing="${twin_missing}
  $1 is missing: install $2"
     twin_install="$twin_install $2"])

dnl TWIN_PACKAGE(PREFIX, NAME, PKG-CONFIG-MODULES, DEBIAN-PACKAGE)
AC_DEFUN([TWIN_PACKAGE],
    [PKG_CHECK_MODULES([$1], [$3], [:], [TWIN_MISSING([$2], [$4])])])

AC_DEFUN([TWIN_REFUSE_MISSING],
    [AS_IF([test -n "$twin_missing"],
        [AC_MSG_ERROR([cannot build twincached here:$twin_missing
On Debian: apt-get install$twin_install])])])
