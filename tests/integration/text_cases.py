# SPDX-License-Identifier: BSD-3-Clause
"""The classic text protocol, request by request.

A case is (request, reply), or (request, reply, CLOSES) where the server ends
the connection.  Each is run on an empty cache.  In a reply <cas> stands for
any token, <version> for any version."""

CLOSES = True
BAD_LINE = b'CLIENT_ERROR bad command line format\r\n'
NOT_A_NUMBER = (b'CLIENT_ERROR cannot increment or decrement non-numeric '
                b'value\r\n')
BAD_DELTA = b'CLIENT_ERROR invalid numeric delta argument\r\n'
BAD_TIME = b'CLIENT_ERROR invalid exptime argument\r\n'
BAD_CHUNK = b'CLIENT_ERROR bad data chunk\r\n'
TOO_LARGE = b'SERVER_ERROR object too large for cache\r\n'
VERSION = b'VERSION <version>\r\n'
KEY_MAX = b'k' * 250
KEY_OVER = b'k' * 251
ALL_BYTES = bytes(range(256))

LINES = [
    (b'\r\n', BAD_LINE),
    (b'\n', BAD_LINE),
    (b' \r\n', BAD_LINE),
    (b'a\r\n', BAD_LINE),
    (b'ab\r\n', b'ERROR\r\n'),
    (b'foo bar\r\n', b'ERROR\r\n'),
    (b'get\ta\r\n', b'ERROR\r\n'),
    (b'version\n', VERSION),
    (b'version\r\n', VERSION),
    (b'version foo\r\n', VERSION),
    (b'set a 0 0 1\nx\r\nget a\n', b'STORED\r\nVALUE a 0 1\r\nx\r\nEND\r\n'),
    (b'get   a    b\r\n', b'END\r\n'),
    (b'set  a  5  0  1\r\nx\r\nget a\r\n',
     b'STORED\r\nVALUE a 5 1\r\nx\r\nEND\r\n'),
    (b'get ' + b' ' * 3000 + b'\r\n', BAD_LINE),
]

GET = [
    (b'get\r\n', BAD_LINE),
    (b'get \r\n', BAD_LINE),
    (b'gets\r\n', BAD_LINE),
    (b'get a\r\n', b'END\r\n'),
    (b'gets a\r\n', b'END\r\n'),
    (b'get a b c\r\n', b'END\r\n'),
    (b'get ' + KEY_MAX + b'\r\n', b'END\r\n'),
    (b'get ' + KEY_OVER + b'\r\n', BAD_LINE),
    (b'get a ' + KEY_OVER + b'\r\n', BAD_LINE),
    (b'set a 0 0 1\r\nx\r\nget a ' + KEY_OVER + b'\r\n',
     b'STORED\r\n' + BAD_LINE),
    (b'get' + b' a' * 10000 + b'\r\n', b'END\r\n'),
    (b'set a 0 0 1\r\nx\r\nget' + b' a' * 100 + b'\r\n',
     b'STORED\r\n' + b'VALUE a 0 1\r\nx\r\n' * 100 + b'END\r\n'),
    (b'set a 1 0 1\r\nx\r\nset b 2 0 2\r\nyy\r\nget a nokey b\r\n',
     b'STORED\r\nSTORED\r\nVALUE a 1 1\r\nx\r\nVALUE b 2 2\r\nyy\r\nEND\r\n'),
    (b'set a 7 0 1\r\nx\r\ngets a\r\n',
     b'STORED\r\nVALUE a 7 1 <cas>\r\nx\r\nEND\r\n'),
    (b'get foo HTTP/1.1\r\n', b'END\r\n'),
]

GAT = [
    (b'gat\r\n', BAD_LINE),
    (b'gat 10\r\n', BAD_LINE),
    (b'gat x a\r\n', BAD_TIME),
    (b'gat 10 a b\r\n', b'END\r\n'),
    (b'gats 10 a\r\n', b'END\r\n'),
    (b'set a 3 0 1\r\nx\r\ngat 10 a\r\nget a\r\n',
     b'STORED\r\nVALUE a 3 1\r\nx\r\nEND\r\nVALUE a 3 1\r\nx\r\nEND\r\n'),
    (b'set a 3 0 1\r\nx\r\nset b 4 0 1\r\ny\r\ngat 0 a c b\r\n',
     b'STORED\r\nSTORED\r\nVALUE a 3 1\r\nx\r\nVALUE b 4 1\r\ny\r\nEND\r\n'),
    (b'set a 3 0 1\r\nx\r\ngats 10 a\r\n',
     b'STORED\r\nVALUE a 3 1 <cas>\r\nx\r\nEND\r\n'),
    (b'set a 0 0 1\r\nx\r\ngat -1 a\r\nget a\r\n',
     b'STORED\r\nVALUE a 0 1\r\nx\r\nEND\r\nEND\r\n'),
]

SET = [
    (b'set a 0 0 1\r\nx\r\nget a\r\n', b'STORED\r\nVALUE a 0 1\r\nx\r\nEND\r\n'),
    (b'set a 0 0 0\r\n\r\nget a\r\n', b'STORED\r\nVALUE a 0 0\r\n\r\nEND\r\n'),
    (b'set a 0 0 256\r\n' + ALL_BYTES + b'\r\nget a\r\n',
     b'STORED\r\nVALUE a 0 256\r\n' + ALL_BYTES + b'\r\nEND\r\n'),
    (b'set a 0 0 10\r\nx\r\nget a\r\n\r\nget a\r\n',
     b'STORED\r\nVALUE a 0 10\r\nx\r\nget a\r\n\r\nEND\r\n'),
    (b'set ' + KEY_MAX + b' 0 0 1\r\nx\r\nget ' + KEY_MAX + b'\r\n',
     b'STORED\r\nVALUE ' + KEY_MAX + b' 0 1\r\nx\r\nEND\r\n'),
    (b'set ' + KEY_OVER + b' 0 0 1\r\nx\r\nversion\r\n', BAD_LINE + VERSION),
    (b'set a\x01\x7f\xff 0 0 1\r\nx\r\nget a\x01\x7f\xff\r\n',
     b'STORED\r\nVALUE a\x01\x7f\xff 0 1\r\nx\r\nEND\r\n'),
    (b'set a 0 0 1\r\nx\n\nget a\r\n', BAD_CHUNK + b'END\r\n'),
    (b'set a 0 0 1\r\nw\r\nset a 0 0 1\r\nx\n\nget a\r\n',
     b'STORED\r\n' + BAD_CHUNK + b'VALUE a 0 1\r\nw\r\nEND\r\n'),
    (b'set a 0 0 1\r\nxyz\r\nversion\r\n', BAD_CHUNK + BAD_LINE + VERSION),
    (b'set a 0 0 3\r\nx\r\nget a\r\n', BAD_CHUNK + b'ERROR\r\n'),
    (b'set a 4294967295 0 1\r\nx\r\nget a\r\n',
     b'STORED\r\nVALUE a 4294967295 1\r\nx\r\nEND\r\n'),
    (b'set a 4294967296 0 1\r\nx\r\nget a\r\n',
     b'STORED\r\nVALUE a 0 1\r\nx\r\nEND\r\n'),
    (b'set a -1 0 1\r\nx\r\nget a\r\n', BAD_LINE + b'END\r\n'),
    (b'set a x 0 1\r\nx\r\nversion\r\n', BAD_LINE + VERSION),
    (b'set a 0 x 1\r\nx\r\nversion\r\n', BAD_LINE + VERSION),
    (b'set a 0 0 x\r\nx\r\nversion\r\n', BAD_LINE + BAD_LINE + VERSION),
    (b'set a 0 0 -1\r\nx\r\nversion\r\n', BAD_LINE + BAD_LINE + VERSION),
    (b'set a 0 0 2147483647\r\nversion\r\n', BAD_LINE + VERSION),
    (b'set a 0 0 4294967297\r\nversion\r\n', BAD_LINE + VERSION),
    (b'set a 0 0\r\nversion\r\n', BAD_LINE + VERSION),
    (b'set a 0 0 1 foo\r\nx\r\n', b'STORED\r\n'),
    (b'set a 0 0 1 noreply\r\nx\r\nget a\r\n', b'VALUE a 0 1\r\nx\r\nEND\r\n'),
    (b'set a 0 0 1 noreply foo\r\nx\r\n', b'STORED\r\n'),
    (b'set a 0 0 2000000\r\n' + b'x' * 2000000 + b'\r\nversion\r\n',
     TOO_LARGE + VERSION),
    (b'set a 0 0 1048576\r\n' + b'x' * 1048576 + b'\r\nget a\r\n',
     TOO_LARGE + b'END\r\n'),
    # A set that cannot be kept takes the old value with it.
    (b'set a 0 0 1\r\nx\r\nset a 0 0 1048576\r\n' + b'y' * 1048576 +
     b'\r\nget a\r\n', b'STORED\r\n' + TOO_LARGE + b'END\r\n'),
    (b'set a 0 0 1000000\r\n' + b'x' * 1000000 + b'\r\nget a\r\n',
     b'STORED\r\nVALUE a 0 1000000\r\n' + b'x' * 1000000 + b'\r\nEND\r\n'),
    (b'set a 0 -5 1\r\nx\r\nget a\r\n', b'STORED\r\nEND\r\n'),
    (b'set a 0 1000000000 1\r\nx\r\nget a\r\n', b'STORED\r\nEND\r\n'),
    # Times beyond 2038 are times like others.
    (b'set a 0 4294967295 1\r\nx\r\nget a\r\n',
     b'STORED\r\nVALUE a 0 1\r\nx\r\nEND\r\n'),
    (b'set a 0 2147483648 1\r\nx\r\nget a\r\n',
     b'STORED\r\nVALUE a 0 1\r\nx\r\nEND\r\n'),
]

ADD_REPLACE_APPEND = [
    (b'add a 0 0 1\r\nx\r\nadd a 0 0 1\r\ny\r\nget a\r\n',
     b'STORED\r\nNOT_STORED\r\nVALUE a 0 1\r\nx\r\nEND\r\n'),
    (b'add a 0 0 1 noreply\r\nx\r\nadd a 0 0 1 noreply\r\ny\r\nget a\r\n',
     b'VALUE a 0 1\r\nx\r\nEND\r\n'),
    (b'add a 0 -1 1\r\nx\r\nadd a 0 0 1\r\ny\r\nget a\r\n',
     b'STORED\r\nSTORED\r\nVALUE a 0 1\r\ny\r\nEND\r\n'),
    (b'replace nokey 0 0 1\r\nx\r\n', b'NOT_STORED\r\n'),
    (b'set a 1 0 1\r\nx\r\nreplace a 2 0 2\r\nyy\r\nget a\r\n',
     b'STORED\r\nSTORED\r\nVALUE a 2 2\r\nyy\r\nEND\r\n'),
    (b'append nokey 0 0 1\r\nx\r\n', b'NOT_STORED\r\n'),
    (b'prepend nokey 0 0 1\r\nx\r\n', b'NOT_STORED\r\n'),
    # Flags of the value that was there stay.
    (b'set a 9 0 1\r\nx\r\nappend a 7 0 2\r\nyz\r\nget a\r\n',
     b'STORED\r\nSTORED\r\nVALUE a 9 3\r\nxyz\r\nEND\r\n'),
    (b'set a 9 0 1\r\nx\r\nprepend a 7 0 2\r\nyz\r\nget a\r\n',
     b'STORED\r\nSTORED\r\nVALUE a 9 3\r\nyzx\r\nEND\r\n'),
    (b'set a 0 0 1\r\nx\r\nappend a 0 0 1 noreply\r\ny\r\n'
     b'prepend a 0 0 1 noreply\r\nw\r\nget a\r\n',
     b'STORED\r\nVALUE a 0 3\r\nwxy\r\nEND\r\n'),
    (b'set a 0 0 1\r\nx\r\nappend a 0 0 0\r\n\r\nget a\r\n',
     b'STORED\r\nSTORED\r\nVALUE a 0 1\r\nx\r\nEND\r\n'),
    (b'add a\r\n', BAD_LINE),
    (b'append a 0 0\r\n', BAD_LINE),
]

CAS = [
    (b'cas a 0 0 1\r\nx\r\nversion\r\n', BAD_LINE + VERSION),
    (b'cas a 0 0 1 abc\r\nx\r\nversion\r\n', BAD_LINE + VERSION),
    (b'cas nokey 0 0 1 5\r\nx\r\n', b'NOT_FOUND\r\n'),
    (b'set a 0 0 1\r\nx\r\ncas a 0 0 1 1\r\ny\r\nget a\r\n',
     b'STORED\r\nEXISTS\r\nVALUE a 0 1\r\nx\r\nEND\r\n'),
    (b'set a 0 0 1\r\nx\r\ncas a 0 0 1 18446744073709551615\r\ny\r\n',
     b'STORED\r\nEXISTS\r\n'),
    (b'set a 0 0 1\r\nx\r\ncas a 0 0 1 1 noreply\r\ny\r\nget a\r\n',
     b'STORED\r\nVALUE a 0 1\r\nx\r\nEND\r\n'),
]

NUMBERS = [
    (b'incr\r\n', BAD_LINE),
    (b'incr a\r\n', BAD_LINE),
    (b'decr a\r\n', BAD_LINE),
    (b'incr nokey 1\r\n', b'NOT_FOUND\r\n'),
    (b'decr nokey 1\r\n', b'NOT_FOUND\r\n'),
    (b'incr a x\r\n', BAD_DELTA),
    (b'incr a -1\r\n', BAD_DELTA),
    (b'set n 0 0 1\r\n9\r\nincr n 18446744073709551616\r\n',
     b'STORED\r\n' + BAD_DELTA),
    (b'set n 0 0 1\r\n9\r\nincr n 1\r\nget n\r\n',
     b'STORED\r\n10\r\nVALUE n 0 2\r\n10\r\nEND\r\n'),
    (b'set n 4 0 1\r\n5\r\nincr n 18446744073709551615\r\nget n\r\n',
     b'STORED\r\n4\r\nVALUE n 4 1\r\n4\r\nEND\r\n'),
    (b'set n 0 0 1\r\n5\r\ndecr n 6\r\n', b'STORED\r\n0\r\n'),
    (b'set n 0 0 3\r\n100\r\ndecr n 1\r\nget n\r\n',
     b'STORED\r\n99\r\nVALUE n 0 3\r\n99 \r\nEND\r\n'),
    (b'set n 0 0 3\r\n100\r\ndecr n 1\r\nincr n 1\r\n',
     b'STORED\r\n99\r\n100\r\n'),
    (b'set n 0 0 3\r\n 10\r\nincr n 1\r\n', b'STORED\r\n11\r\n'),
    (b'set n 0 0 1\r\n5\r\nincr n 1 noreply\r\nget n\r\n',
     b'STORED\r\nVALUE n 0 1\r\n6\r\nEND\r\n'),
    (b'set n 0 0 1\r\n5\r\ndecr n 1 noreply\r\nget n\r\n',
     b'STORED\r\nVALUE n 0 1\r\n4\r\nEND\r\n'),
    (b'set n 0 0 2\r\n-1\r\nincr n 2\r\n', b'STORED\r\n' + NOT_A_NUMBER),
    (b'set n 0 0 0\r\n\r\nincr n 2\r\n', b'STORED\r\n' + NOT_A_NUMBER),
    (b'set n 0 0 1\r\nx\r\ndecr n 2\r\n', b'STORED\r\n' + NOT_A_NUMBER),
    (b'set n 0 0 20\r\n18446744073709551616\r\nincr n 1\r\n',
     b'STORED\r\n' + NOT_A_NUMBER),
    (b'set n 0 0 20\r\n18446744073709551615\r\nincr n 1\r\n',
     b'STORED\r\n0\r\n'),
]

DELETE_TOUCH = [
    (b'delete\r\n', BAD_LINE),
    (b'delete nokey\r\n', b'NOT_FOUND\r\n'),
    (b'delete nokey 0\r\n', b'NOT_FOUND\r\n'),
    (b'delete nokey 5\r\n', b'NOT_FOUND\r\n'),
    (b'delete nokey noreply\r\n', b''),
    (b'delete nokey 0 noreply\r\n', b''),
    (b'delete nokey b c d\r\n', BAD_LINE),
    (b'set a 0 0 1\r\nx\r\ndelete a\r\nget a\r\ndelete a\r\n',
     b'STORED\r\nDELETED\r\nEND\r\nNOT_FOUND\r\n'),
    (b'set a 0 0 1\r\nx\r\ndelete a 0\r\nget a\r\n',
     b'STORED\r\nDELETED\r\nEND\r\n'),
    (b'set a 0 0 1\r\nx\r\ndelete a noreply\r\nget a\r\n',
     b'STORED\r\nEND\r\n'),
    (b'delete ' + KEY_OVER + b'\r\n', BAD_LINE),
    (b'touch a\r\n', BAD_LINE),
    (b'touch a x\r\n', BAD_TIME),
    (b'touch nokey 10\r\n', b'NOT_FOUND\r\n'),
    (b'touch a 0 noreply\r\nversion\r\n', VERSION),
    (b'set a 2 0 1\r\nx\r\ntouch a 10\r\nget a\r\n',
     b'STORED\r\nTOUCHED\r\nVALUE a 2 1\r\nx\r\nEND\r\n'),
    (b'set a 2 0 1\r\nx\r\ntouch a -1\r\nget a\r\n',
     b'STORED\r\nTOUCHED\r\nEND\r\n'),
]

REST = [
    (b'verbosity\r\n', BAD_LINE),
    (b'verbosity 1\r\n', b'OK\r\n'),
    (b'verbosity x\r\n', BAD_LINE),
    (b'verbosity 0 noreply\r\nversion\r\n', VERSION),
    (b'verbosity 99\r\n\r\n', b'OK\r\n' + BAD_LINE),
    (b'verbosity 1\r\n', b'OK\r\n'),
    (b'flush_all\r\n', b'OK\r\n'),
    (b'flush_all x\r\n', BAD_TIME),
    (b'flush_all -1\r\n', b'OK\r\n'),
    (b'flush_all 0 noreply\r\nversion\r\n', VERSION),
    (b'flush_all noreply\r\nversion\r\n', VERSION),
    (b'flush_all 0\r\n', b'OK\r\n'),
    (b'set a 0 0 1\r\nx\r\nflush_all\r\nget a\r\nset a 0 0 1\r\ny\r\nget a\r\n',
     b'STORED\r\nOK\r\nEND\r\nSTORED\r\nVALUE a 0 1\r\ny\r\nEND\r\n'),
    (b'set a 0 0 1\r\nx\r\nflush_all 0\r\nget a\r\n',
     b'STORED\r\nOK\r\nEND\r\n'),
    (b'stats reset\r\n', b'RESET\r\n'),
    (b'stats foo\r\n', b'ERROR\r\n'),
    (b'stats r\r\n', b'ERROR\r\n'),
]

ENDS = [
    (b'quit\r\nversion\r\n', b'', CLOSES),
    (b'quit now\r\n', b'', CLOSES),
    (b'set a 0 0 1\r\nx\r\nquit\r\n', b'STORED\r\n', CLOSES),
    (b'GET / HTTP/1.0\r\n', b'', CLOSES),
    (b'foo HTTP/1.1\r\n', b'', CLOSES),
    # 2048 bytes without an end of line, unless they may become a long get.
    (b'x' * 3000, b'', CLOSES),
    (b'set ' + b'x' * 2100, b'', CLOSES),
    (b'incr ' + b' ' * 3000, b'', CLOSES),
]

ANSWERED = (LINES + GET + GAT + SET + ADD_REPLACE_APPEND + CAS + NUMBERS +
            DELETE_TOUCH + REST)
