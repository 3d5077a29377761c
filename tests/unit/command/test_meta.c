/* SPDX-License-Identifier: BSD-3-Clause */
/* The meta commands through whole sessions. */
#include "src/command/session.h"

#include "tests/unit/command/client.h"
#include "tests/unit/unit.h"

#include <stdio.h>

#define S(text) \
    { \
        text, sizeof(text) - 1 \
    }
#define BAD_LINE "CLIENT_ERROR bad command line format\r\n"
#define BAD_FLAG "CLIENT_ERROR invalid or duplicate flag\r\n"
#define BAD_TOKEN "CLIENT_ERROR bad token in command line format\r\n"
#define NO_FLAG "CLIENT_ERROR invalid flag\r\n"
#define K50 "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"
#define KEY_250 K50 K50 K50 K50 K50
#define A_SECOND "tick"

struct row {
    struct slice request;
    struct slice reply; /* A # is any number. */
};

/* One conversation from its begin to its end, as memcached 1.6.45 answers it;
 * but `me KEY b` finds its key. */
static const struct row talk[] = {
    {S("mn\r\n"), S("MN\r\n")},
    {S("mn foo\r\n"), S("MN\r\n")},
    {S("mg\r\n"), S(BAD_LINE)},
    {S("mg \r\n"), S(BAD_LINE)},
    {S("mg miss\r\n"), S("EN\r\n")},
    {S("mg miss v k Oabc\r\n"), S("EN kmiss Oabc\r\n")},
    {S("mg miss q\r\nmn\r\n"), S("MN\r\n")},
    {S("mg miss q k Oabc v\r\nmn\r\n"), S("MN\r\n")},
    {S("ms a 2\r\nhi\r\nmg a\r\n"), S("HD\r\nHD\r\n")},
    {S("mg a s\r\n"), S("HD s2\r\n")},
    {S("mg a v s t f c k h l O123\r\n"),
     S("VA 2 s2 t-1 f0 c# ka h1 l0 O123\r\nhi\r\n")},
    {S("mg a h l t\r\n"), S("HD h1 l0 t-1\r\n")},
    {S("mg a v v\r\n"), S("CLIENT_ERROR duplicate flag\r\n")},
    {S("mg a !\r\n"), S(BAD_LINE)},
    {S("mg a zz\r\n"), S("CLIENT_ERROR invalid flag\r\n")},
    {S("mg a Tx\r\n"), S("CLIENT_ERROR bad token in command line format\r\n")},
    {S("mg a T\r\n"), S("CLIENT_ERROR bad token in command line format\r\n")},
    {S("mg a N\r\n"), S("CLIENT_ERROR bad token in command line format\r\n")},
    {S("mg a v Ooooooooooooooooooooooooooooooooo\r\n"),
     S("CLIENT_ERROR opaque token too long\r\n")},
    {S("mg a v Oooooooooooooooooooooooooooooooo\r\n"),
     S("VA 2 Oooooooooooooooooooooooooooooooo\r\nhi\r\n")},
    {S("mg a v Oooooooooooooooooooooooooooooooooo\r\n"),
     S("CLIENT_ERROR opaque token too long\r\n")},
    {S("mg a O\r\n"), S("HD O\r\n")},
    {S("mg a k s v t f c h l u q Oa E1 N1 R1 T1 b P L I M\r\n"),
     S("CLIENT_ERROR options flags are too long\r\n")},
    {S("mg a k s v t f c h l u q Oa E1 N1 R1 T1 P L I\r\n"),
     S("VA 2 ka s2 t-1 f0 c# h1 l0 Oa\r\nhi\r\n")},
    {S("mg " KEY_250 "\r\n"), S("EN\r\n")},
    {S("mg " KEY_250 "k\r\n"), S(BAD_LINE)},
    {S(A_SECOND), S("")},
    {S("mg a b k\r\n"), S("CLIENT_ERROR error decoding key\r\n")},
    {S("mg YQ== b k v\r\n"), S("EN kYQ== b\r\n")},
    {S("mg YQ== b k v s\r\n"), S("EN kYQ== b\r\n")},
    {S("mg !!! b k\r\n"), S("CLIENT_ERROR error decoding key\r\n")},
    {S("ms YmluAWtleQ== 2 b k c s\r\nhi\r\nmg YmluAWtleQ== b k v\r\n"
       "me YmluAWtleQ== b\r\n"),
     S("HD kYmluAWtleQ== b c# s2\r\nVA 2 kYmluAWtleQ== b\r\nhi\r\n"
       "ME YmluAWtleQ== exp=-1 la=0 cas=# fetch=yes cls=# size=#\r\n")},
    {S("ms a\r\n"), S(BAD_LINE)},
    {S("ms a x\r\n"), S(BAD_LINE)},
    {S("ms a -1\r\n"), S(BAD_LINE)},
    {S("ms a 2 q\r\nhi\r\nmn\r\n"), S("MN\r\n")},
    {S("ms a 2 Fx\r\nhi\r\nmn\r\n"),
     S("CLIENT_ERROR bad command line format\r\nMN\r\n")},
    {S("ms a 2 F5 T0 c k s Oq\r\nhi\r\n"), S("HD c# ka s2 Oq\r\n")},
    {S("ms a 2 MX\r\nhi\r\nmn\r\n"),
     S("CLIENT_ERROR invalid mode for ms M token\r\nMN\r\n")},
    {S("ms a 2 ME\r\nhi\r\n"), S("NS\r\n")},
    {S("ms a 2 me\r\nhi\r\n"), S("CLIENT_ERROR invalid flag\r\n")},
    {S("ms nk 2 MR\r\nhi\r\n"), S("NS\r\n")},
    {S("ms nk 2 MA\r\nhi\r\n"), S("NS\r\n")},
    {S("ms nk 2 C5\r\nhi\r\n"), S("NF\r\n")},
    {S("ms nk2 2 MA N0 s k\r\nhi\r\nmg nk2 v\r\n"),
     S("HD s2 knk2\r\nVA 2\r\nhi\r\n")},
    {S("ms a 3\r\nhi\r\nmn\r\n"),
     S("CLIENT_ERROR bad data chunk\r\n"
       "CLIENT_ERROR bad command line format\r\n")},
    {S("ms a 1\r\nhi\r\nmn\r\n"),
     S("CLIENT_ERROR bad data chunk\r\n"
       "CLIENT_ERROR bad command line format\r\nMN\r\n")},
    {S("ms a 2 C1 q\r\nhi\r\n"), S("EX\r\n")},
    {S("ms a 2 E77 c\r\nhi\r\nms a 2 I C5 c\r\nho\r\nmg a v c\r\n"),
     S("HD c77\r\nHD c#\r\nVA 2 c# X W\r\nho\r\n")},
    {S("ms a S2\r\nhi\r\n"),
     S("CLIENT_ERROR bad command line format\r\nERROR\r\n")},
    {S("ms a 2 T-1\r\nhi\r\nmg a\r\n"), S("HD\r\nEN\r\n")},
    {S("md a q\r\nmn\r\n"), S("NF\r\nMN\r\n")},
    {S("md a\r\n"), S("NF\r\n")},
    {S("md a q\r\nmn\r\n"), S("NF\r\nMN\r\n")},
    {S("ms a 2\r\nhi\r\nmd a I T30\r\nmg a v t\r\nmg a v t\r\nms a 2\r\n"
       "ho\r\nmg a v\r\n"),
     S("HD\r\nHD\r\nVA 2 t30 X W\r\nhi\r\nVA 2 t30 Z X\r\nhi\r\nHD\r\n"
       "VA 2\r\nho\r\n")},
    {S("md a C1\r\n"), S("EX\r\n")},
    {S("md a x k Oo\r\nmg a v s f\r\n"), S("HD ka Oo\r\nVA 0 s0 f0\r\n\r\n")},
    {S("md a I\r\nmg a N10 v\r\n"), S("HD\r\nVA 0 X W\r\n\r\n")},
    {S("ma n\r\n"), S("NF\r\n")},
    {S("ma n N0 J10 v\r\nma n D5 v\r\nma n MD D100 v\r\n"
       "ma n M- v t c k Ox\r\n"),
     S("VA 2\r\n10\r\nVA 2\r\n15\r\nVA 1\r\n0\r\nVA 1 t-1 c# kn Ox\r\n"
       "0\r\n")},
    {S("ma n Dx\r\n"), S("CLIENT_ERROR invalid or duplicate flag\r\n")},
    {S("ma n Jx\r\n"), S("CLIENT_ERROR invalid or duplicate flag\r\n")},
    {S("ma n M5\r\n"), S("CLIENT_ERROR invalid mode for ma M token\r\n")},
    {S("ma n q\r\nmn\r\n"), S("MN\r\n")},
    {S("ms s 1\r\nq\r\nma s v\r\n"),
     S("HD\r\n"
       "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n")},
    {S("ma n D18446744073709551615 v\r\n"), S("VA 1\r\n0\r\n")},
    {S("ma nk q\r\nmn\r\n"), S("NF\r\nMN\r\n")},
    {S("ma n C1\r\n"), S("EX\r\n")},
    {S("ma n C1 q k Oz\r\n"), S("EX kn Oz\r\n")},
    {S("me a\r\n"), S("ME a exp=-1 la=# cas=# fetch=yes cls=# size=#\r\n")},
    {S("me\r\n"), S(BAD_LINE)},
    {S("me miss\r\n"), S("EN\r\n")},
    {S("ms w 2 T100\r\nhi\r\nmg w R200 v t\r\nmg w R200 v t\r\n"
       "ms w 2 T300\r\nyo\r\nmg w R200 v t\r\n"),
     S("HD\r\nVA 2 t100 W\r\nhi\r\nVA 2 t100 Z\r\nhi\r\nHD\r\n"
       "VA 2 t300\r\nyo\r\n")},
    {S("mg viv N30 v t s c\r\nmg viv N30 v t\r\nmg viv v\r\n"),
     S("VA 0 t30 s0 c# W\r\n\r\nVA 0 t30 Z\r\n\r\nVA 0 Z\r\n\r\n")},
    {S("mg viv2 N30 q\r\nmn\r\n"), S("HD W\r\nMN\r\n")},
    {S("ms z 0\r\n\r\nmg z v s\r\n"), S("HD\r\nVA 0 s0\r\n\r\n")},
    {S("mg  a   v\r\n"), S("VA 0 Z X\r\n\r\n")},
    {S("mg a v \r\n"), S("VA 0 Z X\r\n\r\n")},
    {S("MG a\r\n"), S("ERROR\r\n")},
    {S("mx a\r\n"), S("ERROR\r\n")},
    {S("ms a 2 E5 c\r\nhi\r\nmg a C5 v c\r\nmg a C6 v c\r\n"),
     S("HD c5\r\nHD c5\r\nVA 2 c5\r\nhi\r\n")},
    {S("mg a v P/foo Lbar\r\n"), S("VA 2\r\nhi\r\n")},
    {S("ms a 2 b\r\nhi\r\n"), S("CLIENT_ERROR error decoding key\r\n")},
};

/* Each on an empty cache. */
static const struct row rows[] = {
    {S("ms a 2 b\r\nhi\r\nmn\r\n"),
     S("CLIENT_ERROR error decoding key\r\nMN\r\n")},
    {S("ms " KEY_250 "k 2\r\nhi\r\nmn\r\n"), S(BAD_LINE "MN\r\n")},
    {S("ms a 2 T\r\nhi\r\nmn\r\n"), S(BAD_TOKEN "MN\r\n")},
    {S("ms a 2 C-1\r\nhi\r\nmn\r\n"), S(BAD_TOKEN "MN\r\n")},
    {S("mg a E\r\n"), S(BAD_TOKEN)},
    {S("mg a R2147483648\r\n"), S(BAD_TOKEN)},
    {S("mg a 5\r\n"), S(NO_FLAG)},
    {S("mg a S\r\n"), S(NO_FLAG)},
    {S("mg a Dx\r\n"), S("CLIENT_ERROR invalid numeric delta value\r\n")},
    {S("mg a Jx\r\n"), S("CLIENT_ERROR invalid numeric initial value\r\n")},
    {S("md a zz\r\nmd a Tx\r\nmd a v v\r\nma a !\r\nma a b\r\n"),
     S(BAD_FLAG BAD_FLAG BAD_FLAG BAD_FLAG BAD_FLAG)},
    {S("md a Ooooooooooooooooooooooooooooooooooooooooo\r\n"),
     S("CLIENT_ERROR opaque token too long\r\n")},
    {S("ms a 2 MAdd\r\nhi\r\nms a 2 M\r\nhi\r\n"),
     S("CLIENT_ERROR incorrect length for M token\r\n"
       "CLIENT_ERROR incorrect length for M token\r\n")},
    {S("ms a 2 Ma\r\nhi\r\nma a Mi\r\nmg a MX\r\n"),
     S("CLIENT_ERROR invalid mode for ms M token\r\n"
       "CLIENT_ERROR invalid mode for ma M token\r\nEN\r\n")},
    {S("md\r\nma\r\nms\r\nme\r\n"), S(BAD_LINE BAD_LINE BAD_LINE BAD_LINE)},
    {S("ms a 2 F4294967301\r\nhi\r\nmg a f\r\n"), S("HD\r\nHD f5\r\n")},
    {S("ms a 2 T20 F5\r\nhi\r\nmg a t T30\r\nmg a T40 t\r\n"),
     S("HD\r\nHD t20\r\nHD t40\r\n")},
    {S("ms a 2 T20\r\nhi\r\nmg a R40 T50 t\r\nmg a T30 R40 t\r\n"),
     S("HD\r\nHD t50 W\r\nHD t30 Z\r\n")},
    {S("ms a 2 T20\r\nhi\r\nmg a T50 R40\r\nmg a R50\r\nmg a R51\r\n"),
     S("HD\r\nHD\r\nHD\r\nHD W\r\n")},
    {S("ms a 2\r\nhi\r\nmg a R100\r\n"), S("HD\r\nHD\r\n")},
    {S("mg n N30 T10 t\r\nmg m T10 N30 t\r\n"), S("HD t10 W\r\nHD t30 W\r\n")},
    {S("mg n N30 E9 c\r\nmg n c\r\nms n 1 C9\r\nx\r\nmg n v\r\n"),
     S("HD c9 W\r\nHD c9 Z\r\nHD\r\nVA 1\r\nx\r\n")},
    {S("mg n N30 k O5 v q\r\nmg n q k v\r\n"),
     S("VA 0 kn O5 W\r\n\r\nVA 0 kn Z\r\n\r\n")},
    {S("ms a 2 T5\r\nhi\r\nmg a u h\r\nmg a h\r\nmg a h\r\n"),
     S("HD\r\nHD h0\r\nHD h0\r\nHD h1\r\n")},
    {S("ms a 2 T20 F5\r\nhi\r\nmd a x\r\nmg a t f v\r\n"),
     S("HD\r\nHD\r\nVA 0 t-1 f0\r\n\r\n")},
    {S("ms a 2 T20\r\nhi\r\nmd a x I T40 F3 E8\r\nmg a t f v c\r\n"),
     S("HD\r\nHD\r\nVA 0 t40 f3 c8 X W\r\n\r\n")},
    {S("ms a 2 T20\r\nhi\r\nmd a T30\r\nmg a\r\n"), S("HD\r\nHD\r\nEN\r\n")},
    {S("ms a 2 E5\r\nhi\r\nmd a C4\r\nmd a I C4\r\nmd a C5 q k\r\nmg a\r\n"),
     S("HD\r\nEX\r\nEX\r\nEN\r\n")},
    {S("ms a 2 F7 T20\r\nhi\r\nmd a I E99\r\nmg a v f t c\r\nmg a v c\r\n"),
     S("HD\r\nHD\r\nVA 2 f7 t20 c99 X W\r\nhi\r\nVA 2 c99 Z X\r\nhi\r\n")},
    {S("ms a 2 E5\r\nhi\r\nmd a I E6 T9\r\nmd a I E7\r\nmg a v t c\r\n"),
     S("HD\r\nHD\r\nHD\r\nVA 2 t9 c7 X W\r\nhi\r\n")},
    {S("ms a 2 E5\r\nhi\r\nmd a I\r\nms a 1 C5\r\nx\r\n"),
     S("HD\r\nHD\r\nEX\r\n")},
    {S("md a I\r\nmd a x\r\nmg a\r\n"), S("NF\r\nNF\r\nEN\r\n")},
    {S("ms a 2\r\nhi\r\nmd a I\r\nmg a\r\nmd a I\r\nmg a\r\nmg a\r\n"),
     S("HD\r\nHD\r\nHD X W\r\nHD\r\nHD X W\r\nHD Z X\r\n")},
    {S("ms a 2\r\nhi\r\nmd a I\r\nms a 1 MA\r\nx\r\nmg a v\r\n"),
     S("HD\r\nHD\r\nHD\r\nVA 3\r\nhix\r\n")},
    {S("ms a 1\r\n5\r\nmd a I\r\nma a v\r\nmg a v\r\n"),
     S("HD\r\nHD\r\nVA 1\r\n6\r\nVA 1 X W\r\n6\r\n")},
    {S("ms a 2\r\nhi\r\nmd a I\r\ntouch a 9\r\nget a\r\nmg a t\r\n"
       "set a 0 0 1\r\nx\r\nmg a v\r\n"),
     S("HD\r\nHD\r\nTOUCHED\r\nVALUE a 0 2\r\nhi\r\nEND\r\nHD t9 X W\r\n"
       "STORED\r\nVA 1\r\nx\r\n")},
    {S("ms a 2 E77\r\nhi\r\nms a 2 I C78 c\r\nho\r\nms a 2 I C77\r\nhu\r\n"
       "mg a v\r\n"),
     S("HD\r\nEX c0\r\nHD\r\nVA 2\r\nhu\r\n")},
    {S("ms a 2 E77 T40\r\nhi\r\nms a 2 I C5 E6 T9\r\nho\r\nmg a v c t\r\n"),
     S("HD\r\nHD\r\nVA 2 c6 t40 X W\r\nho\r\n")},
    {S("ms a 2 I C5\r\nhi\r\nms a 2 I\r\nhi\r\nmg a v\r\n"),
     S("NF\r\nHD\r\nVA 2\r\nhi\r\n")},
    {S("ms a 2 MR C5\r\nhi\r\nms a 2 E5\r\nhi\r\nms a 2 MR C6\r\nho\r\n"
       "ms a 2 MR C5\r\nho\r\nmg a v\r\n"),
     S("NF\r\nHD\r\nEX\r\nHD\r\nVA 2\r\nho\r\n")},
    {S("ms a 2 E5 F3\r\nhi\r\nms a 1 MA C4 s c\r\nx\r\n"
       "ms a 1 MA C5 E6 s c\r\nx\r\nms a 1 MP s c E7\r\ny\r\n"
       "ms a 1 MA s\r\nz\r\nmg a v f\r\n"),
     S("HD\r\nEX s1 c0\r\nHD s3 c6\r\nHD s4 c7\r\nHD s5\r\n"
       "VA 5 f3\r\nyhixz\r\n")},
    {S("ms a 2 MP N9 F3 E4 k s c\r\nhi\r\nmg a v t f c\r\n"),
     S("HD ka s2 c4\r\nVA 2 t9 f3 c4\r\nhi\r\n")},
    {S("ms a 2 ME\r\nhi\r\nms a 2 ME k c Oa q\r\nho\r\nms a 2 MS q\r\nhu\r\n"
       "mg a v\r\n"),
     S("HD\r\nNS ka c0 Oa\r\nVA 2\r\nhu\r\n")},
    {S("ms a 2\r\n10\r\nma a D3 T30 t\r\nma a t T60\r\nma a t v\r\n"),
     S("HD\r\nHD t30\r\nHD t30\r\nVA 2 t60\r\n15\r\n")},
    {S("ms a 2 E5\r\n10\r\nma a C4\r\nma a C5 E6 c v\r\nma a c\r\n"
       "gets a\r\n"),
     S("HD\r\nEX\r\nVA 2 c6\r\n11\r\nHD c#\r\nVALUE a 0 2 #\r\n12\r\n"
       "END\r\n")},
    {S("ma n N60 J5 E8 v t c k Oa\r\nma n N0 q v\r\nma n t v\r\n"),
     S("VA 1 t60 c8 kn Oa\r\n5\r\nVA 1 t60\r\n7\r\n")},
    {S("ms a 20 F4\r\n9                   \r\nma a v\r\nmg a s v f\r\n"),
     S("HD\r\nVA 2\r\n10\r\nVA 20 s20 f4\r\n10                  \r\n")},
    {S("ms a 2 E5\r\nhi\r\ngets a\r\ncas a 0 0 1 6\r\nx\r\ncas a 0 0 1 "
       "5\r\ny\r\n"
       "mg a v\r\n"),
     S("HD\r\nVALUE a 0 2 5\r\nhi\r\nEND\r\nEXISTS\r\nSTORED\r\nVA "
       "1\r\ny\r\n")},
    {S("ms YQ== 2 b k\r\nhi\r\nmg a k v\r\nmg YQ== k b v\r\nme a\r\n"
       "md YQ== b k\r\n"),
     S("HD kYQ== b\r\nVA 2 kYQ== b\r\nhi\r\nVA 2 kYQ== b\r\nhi\r\n"
       "ME YQ== exp=-1 la=0 cas=# fetch=yes cls=# size=#\r\nHD kYQ== b\r\n")},
    {S("mg YQ= b\r\nmg YQ b\r\nmg YR== b k\r\nmg AAAA b k\r\n"),
     S("CLIENT_ERROR error decoding key\r\nCLIENT_ERROR error decoding key\r\n"
       "EN kYQ== b\r\nEN kAAAA b\r\n")},
    {S("ms a 2 T100\r\nhi\r\nme a\r\nmg a h\r\nme a x\r\n"),
     S("HD\r\nME a exp=100 la=0 cas=# fetch=no cls=# size=#\r\nHD h0\r\n"
       "ME a exp=100 la=0 cas=# fetch=yes cls=# size=#\r\n")},
    {S("me !!! b\r\nme " KEY_250 "k\r\n"),
     S("CLIENT_ERROR error decoding key\r\n" BAD_LINE)},
};

/* ---- */

static size_t digits_at(const char *text, size_t size)
{
    size_t count = 0;

    while (count < size && text[count] >= '0' && text[count] <= '9')
        count++;
    return count;
}

static bool matches(const char *text, size_t size, struct slice wanted)
{
    size_t at = 0;
    size_t i;

    for (i = 0; i < wanted.size; i++) {
        size_t step = wanted.data[i] == '#'
                          ? digits_at(text + at, size - at)
                          : at < size && text[at] == wanted.data[i];

        if (step == 0)
            return false;
        at += step;
    }
    return at == size;
}

static void play(struct client *client, const struct row *row)
{
    client->replies_size = 0;
    client_send(client, row->request);
    ck_assert_msg(matches(client->replies, client->replies_size, row->reply),
                  "'%.*s': expected '%.*s', got '%.*s'", (int)row->request.size,
                  row->request.data, (int)row->reply.size, row->reply.data,
                  (int)client->replies_size,
                  client->replies != NULL ? client->replies : "");
}

static void play_talk(size_t first, size_t piece)
{
    struct client client;
    struct host host;
    uint64_t now_ns = CLIENT_NOW_NS;
    size_t i;

    host_init(&host);
    client_init(&client, &host);
    client.first = first;
    client.piece = piece;
    for (i = 0; i < COUNT_OF(talk); i++) {
        if (slice_equal(talk[i].request, SLICE_LITERAL(A_SECOND)))
            command_thread_set_now(host.thread, now_ns += NS_PER_S);
        else
            play(&client, &talk[i]);
    }
    client_fini(&client);
    host_fini(&host);
}

START_TEST(a_conversation_goes_as_written)
{
    play_talk(0, SIZE_MAX);
    play_talk(0, 1);
    play_talk(0, 7);
}
END_TEST

START_TEST(cut_anywhere_it_goes_the_same)
{
    play_talk((size_t)_i, SIZE_MAX);
}
END_TEST

static void play_alone(const struct row *row, size_t first, size_t piece)
{
    struct client client;
    struct host host;

    host_init(&host);
    client_init(&client, &host);
    client.first = first;
    client.piece = piece;
    play(&client, row);
    client_fini(&client);
    host_fini(&host);
}

START_TEST(requests_have_their_exact_replies)
{
    play_alone(&rows[_i], 0, SIZE_MAX);
    play_alone(&rows[_i], 0, 1);
}
END_TEST

START_TEST(cut_anywhere_the_replies_are_the_same)
{
    size_t first;

    for (first = 1; first < rows[_i].request.size && first < 128; first++)
        play_alone(&rows[_i], first, SIZE_MAX);
}
END_TEST

/* ---- large values ---- */

#define LARGE_BYTES 300000u

/* A request line, a value of that many letters, CRLF. */
static struct slice large_request(const char *line, char letter)
{
    static char text[LARGE_BYTES + 256];
    int size = snprintf(text, 256, "%s\r\n", line);

    ck_assert_int_gt(size, 0);
    memset(text + size, letter, LARGE_BYTES);
    memcpy(text + size + LARGE_BYTES, "\r\n", 2);
    return slice_make(text, (size_t)size + LARGE_BYTES + 2);
}

static void send_large(struct client *client, const char *line,
                       const char *reply)
{
    const struct row row = {large_request(line, 'x'), slice_of(reply)};

    play(client, &row);
}

static void send_small(struct client *client, const char *request,
                       const char *reply)
{
    const struct row row = {slice_of(request), slice_of(reply)};

    play(client, &row);
}

/* The head, LARGE_BYTES times x between `before` and `after`, CRLF. */
static void expect_large(struct client *client, const char *request,
                         const char *head, const char *before,
                         const char *after)
{
    static char wanted[LARGE_BYTES + 256];
    int start = snprintf(wanted, 128, "%s%s", head, before);
    char *end = wanted + start + LARGE_BYTES;

    memset(wanted + start, 'x', LARGE_BYTES);
    end += snprintf(end, 64, "%s\r\n", after);
    client->replies_size = 0;
    client_send(client, slice_of(request));
    ck_assert_uint_eq(client->replies_size, (size_t)(end - wanted));
    ck_assert_int_eq(memcmp(client->replies, wanted, client->replies_size), 0);
}

static const size_t large_pieces[] = {1000, 4096, 65536, SIZE_MAX};

START_TEST(a_large_value_is_answered_with_its_flags)
{
    struct client client;
    struct host host;

    host_init(&host);
    client_init(&client, &host);
    client.piece = large_pieces[_i / 2];
    client.direct_bodies = _i % 2 != 0;
    send_large(&client, "ms eHg= 300000 k Oabc b c s T60 F9 E77",
               "HD keHg= b Oabc c77 s300000\r\n");
    expect_large(&client, "mg xx s v c t f Od\r\n",
                 "VA 300000 s300000 c77 t60 f9 Od\r\n", "", "");
    send_large(&client, "ms eHg= 300000 k Oabc b c C76",
               "EX keHg= b Oabc c0\r\n");
    send_large(&client, "ms eHg= 300000 k Oabc b c C77 q", "");
    send_small(&client, "ms xx 1 MA s E5 c\r\nz\r\n", "HD s300001 c5\r\n");
    send_small(&client, "ms xx 1 MP s C4 c\r\ny\r\n", "EX s1 c0\r\n");
    send_small(&client, "ms xx 1 MP s C5 c\r\ny\r\n", "HD s300002 c#\r\n");
    expect_large(&client, "mg xx v\r\n", "VA 300002\r\n", "y", "z");
    send_small(&client, "md xx I E6 T9\r\n", "HD\r\n");
    expect_large(&client, "mg xx v c t\r\n", "VA 300002 c6 t9 X W\r\n", "y",
                 "z");
    send_small(&client, "mg xx v C6\r\n", "HD Z X\r\n");
    send_small(&client, "md xx I\r\nmg xx\r\n", "HD\r\nHD X W\r\n");
    client_fini(&client);
    host_fini(&host);
}
END_TEST

START_TEST(a_large_value_may_come_too_late_or_first)
{
    struct client client;
    struct host host;

    host_init(&host);
    client_init(&client, &host);
    send_large(&client, "ms a 300000 C5 I", "NF\r\n");
    send_large(&client, "ms a 300000 MA", "NS\r\n");
    send_large(&client, "ms a 300000 MA N30 s F2", "HD s300000\r\n");
    expect_large(&client, "mg a v t f\r\n", "VA 300000 t30 f2\r\n", "", "");
    send_small(&client, "ms a 1 E50 T60\r\nx\r\n", "HD\r\n");
    send_large(&client, "ms a 300000 I C60", "EX\r\n");
    send_large(&client, "ms a 300000 I C40 T9", "HD\r\n");
    expect_large(&client, "mg a v t\r\n", "VA 300000 t60 X W\r\n", "", "");
    send_small(&client, "md a x\r\nmg a v\r\n", "HD\r\nVA 0\r\n\r\n");
    client_fini(&client);
    host_fini(&host);
}
END_TEST

START_TEST(what_is_too_large_is_refused_and_skipped)
{
    struct client client;
    struct host host;
    static char request[2000064];
    int size =
        snprintf(request, sizeof(request), "ms big 2000000 q k Oabc\r\n");

    host_init(&host);
    client_init(&client, &host);
    memset(request + size, 'x', sizeof(request) - (size_t)size);
    memcpy(request + size + 2000000, "\r\nmn\r\n", 6);
    client_send(&client, slice_make(request, (size_t)size + 2000006));
    ck_assert(matches(client.replies, client.replies_size,
                      SLICE_LITERAL("SERVER_ERROR object too large for "
                                    "cache\r\nMN\r\n")));
    client_fini(&client);
    host_fini(&host);
}
END_TEST

/* With -C nobody sees a version, and each item has 0. */
START_TEST(without_versions_every_cas_is_zero)
{
    const struct engine_config engine = {
        .memory_bytes = 64u << 20,
        .item_bytes_max = 1u << 20,
    };
    const struct commands_config commands = {.version = "1.2.3"};
    struct client client;
    struct host host;

    host_init_with(&host, &engine, &commands);
    client_init(&client, &host);
    send_small(&client, "ms a 1 c E5\r\n1\r\nmg a c\r\nma a c\r\n",
               "HD c0\r\nHD c0\r\nHD c0\r\n");
    send_small(&client, "ms a 1 C1\r\nx\r\nms a 1 C0\r\nx\r\n", "EX\r\nEX\r\n");
    send_small(&client, "ms a 1 MR C0\r\nx\r\nms a 1\r\nx\r\n",
               "EX\r\nHD\r\n");
    send_small(&client, "mg a v C0\r\nmg a C7 v\r\n", "HD\r\nVA 1\r\nx\r\n");
    send_small(&client, "ms a 1 MA C1\r\nx\r\nms a 1 MA C0 s\r\nx\r\n",
               "EX\r\nHD s2\r\n");
    send_small(&client, "md a C1\r\nmd a C0\r\n", "EX\r\nHD\r\n");
    client_fini(&client);
    host_fini(&host);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, a_conversation_goes_as_written);
    tcase_add_loop_test(tests, cut_anywhere_it_goes_the_same, 1, 90);
    tcase_add_loop_test(tests, requests_have_their_exact_replies, 0,
                        COUNT_OF(rows));
    tcase_add_loop_test(tests, cut_anywhere_the_replies_are_the_same, 0,
                        COUNT_OF(rows));
    tcase_add_loop_test(tests, a_large_value_is_answered_with_its_flags, 0,
                        2 * COUNT_OF(large_pieces));
    tcase_add_test(tests, a_large_value_may_come_too_late_or_first);
    tcase_add_test(tests, what_is_too_large_is_refused_and_skipped);
    tcase_add_test(tests, without_versions_every_cas_is_zero);
}

UNIT_MAIN("meta", add_tests)
