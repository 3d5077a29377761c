/* SPDX-License-Identifier: BSD-3-Clause */
/* TLS over a pair of sockets with little room, so that writes are cut at any
 * place and go on from other memory, against OpenSSL itself as the client. */
#include "src/server/tls_link.h"

#include "src/base/invariant.h"
#include "src/base/memory.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define STREAM_BYTES (600u * 1024)
#define VECTORS_MAX 40
#define SOCKET_BYTES 4096

static char chain_path[] = "/tmp/twincached-test-XXXXXX";
static struct clock wall;
static struct tls *tls;
static struct tls_link *link_;
static SSL_CTX *client_context;
static SSL *client;
static int fds[2]; /* The server's, the client's. */
static char stream[STREAM_BYTES];
static unsigned seed;

static unsigned dice(unsigned sides)
{
    return (unsigned)rand_r(&seed) % sides;
}

/* ---- both ends ---- */

static X509 *sign(EVP_PKEY *key)
{
    X509 *cert = X509_new();
    X509_NAME *name = X509_get_subject_name(cert);

    (void)X509_gmtime_adj(X509_getm_notBefore(cert), -1000);
    (void)X509_gmtime_adj(X509_getm_notAfter(cert), 100000);
    ck_assert_int_eq(X509_set_pubkey(cert, key), 1);
    ck_assert_int_eq(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                                (const unsigned char *)"test",
                                                -1, -1, 0),
                     1);
    ck_assert_int_eq(X509_set_issuer_name(cert, name), 1);
    ck_assert_int_gt(X509_sign(cert, key, EVP_sha256()), 0);
    return cert;
}

static EVP_PKEY *new_key(void)
{
    EVP_PKEY_CTX *maker = EVP_PKEY_CTX_new_id(EVP_PKEY_EC, NULL);
    EVP_PKEY *key = NULL;

    ck_assert_int_eq(EVP_PKEY_keygen_init(maker), 1);
    ck_assert_int_eq(
        EVP_PKEY_CTX_set_ec_paramgen_curve_nid(maker, NID_X9_62_prime256v1), 1);
    ck_assert_int_eq(EVP_PKEY_keygen(maker, &key), 1);
    EVP_PKEY_CTX_free(maker);
    return key;
}

static void write_identity(void)
{
    EVP_PKEY *key = new_key();
    X509 *cert = sign(key);
    int fd = mkstemp(chain_path);
    FILE *file = fdopen(fd, "w");

    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(PEM_write_X509(file, cert), 1);
    ck_assert_int_eq(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL),
                     1);
    (void)fclose(file);
    X509_free(cert);
    EVP_PKEY_free(key);
}

static struct tls_config config_of_test(void)
{
    return (struct tls_config){.clock = &wall,
                               .chain_path = chain_path,
                               .key_format = TLS_KEY_PEM,
                               .version_min = 2};
}

static void open_sockets(void)
{
    int size = SOCKET_BYTES;

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds),
                     0);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(
            setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
}

static void shake_hands(void)
{
    enum tls_shaken shaken = TLS_SHAKES;

    while (shaken == TLS_SHAKES || SSL_is_init_finished(client) == 0) {
        (void)SSL_do_handshake(client);
        if (shaken == TLS_SHAKES)
            shaken = tls_link_shake(link_);
        ck_assert_int_ne(shaken, TLS_SHAKE_FAILED);
    }
    ck_assert_int_eq(shaken, TLS_SHAKEN);
}

static void setup(void)
{
    const struct tls_config config = config_of_test();
    char words[TLS_WORDS_MAX];

    (void)signal(SIGPIPE, SIG_IGN);
    clock_init_real(&wall);
    write_identity();
    ck_assert_msg(tls_new(&config, &tls, words) == 0, "%s", words);
    open_sockets();
    link_ = tls_link_new(tls, LISTENER_TLS_DEFAULT, fds[0], 0);
    ck_assert_ptr_nonnull(link_);
    client_context = SSL_CTX_new(TLS_client_method());
    client = SSL_new(client_context);
    ck_assert_int_eq(SSL_set_fd(client, fds[1]), 1);
    SSL_set_connect_state(client);
    shake_hands();
    for (size_t i = 0; i < STREAM_BYTES; i++)
        stream[i] = (char)dice(256);
}

static void teardown(void)
{
    tls_link_free(&link_);
    tls_free(&tls);
    SSL_free(client);
    SSL_CTX_free(client_context);
    close(fds[0]);
    close(fds[1]);
    (void)unlink(chain_path);
}

/* ---- writing ---- */

/* The rest of the stream from `at`, cut into vectors of any size. */
static size_t cut(size_t at, struct iovec *vectors)
{
    static const unsigned sizes[] = {1, 50, 3000, 40000};
    size_t count = 0;

    while (at < STREAM_BYTES && count < VECTORS_MAX) {
        size_t size = 1 + dice(sizes[dice(COUNT_OF(sizes))]);

        if (size > STREAM_BYTES - at)
            size = STREAM_BYTES - at;
        vectors[count++] =
            (struct iovec){.iov_base = stream + at, .iov_len = size};
        at += size;
    }
    return count;
}

/* Writes until the socket is full; then the room is somebody else's. What was
 * not taken stays cut as it is, as in a sink. */
static size_t write_some(struct iovec *vectors, size_t *count, size_t room_size)
{
    struct tls_room room = {malloc(room_size), room_size};
    ssize_t sent = tls_link_write(link_, &room, vectors, *count);
    size_t left;

    memset(room.data, 'X', room_size);
    free(room.data);
    if (sent < 0) {
        ck_assert_int_eq(errno, EAGAIN);
        ck_assert(tls_link_waits_to_write(link_, false));
        return 0;
    }
    left = (size_t)sent;
    while (*count > 0 && left >= vectors[0].iov_len) {
        left -= vectors[0].iov_len;
        memmove(vectors, vectors + 1, --*count * sizeof(*vectors));
    }
    if (left > 0) {
        vectors[0].iov_base = (char *)vectors[0].iov_base + left;
        vectors[0].iov_len -= left;
    }
    return (size_t)sent;
}

/* The client takes some, or nothing. */
static size_t hear_some(size_t at)
{
    char bytes[5000];
    size_t got = 0;

    if (dice(3) == 0 ||
        SSL_read_ex(client, bytes, 1 + dice(sizeof(bytes)), &got) != 1)
        return 0;
    ck_assert_uint_le(got, STREAM_BYTES - at);
    ck_assert_mem_eq(bytes, stream + at, got);
    return got;
}

static const size_t room_sizes[] = {1, 100, 1024, 16384, 16385, 65536, 300000};

START_TEST(what_is_written_arrives_wherever_it_was_cut)
{
    struct iovec vectors[VECTORS_MAX];
    size_t written = 0, heard = 0, count = 0;

    while (heard < STREAM_BYTES) {
        if (count == 0)
            count = cut(written, vectors);
        if (count > 0)
            written += write_some(vectors, &count, room_sizes[_i]);
        heard += hear_some(heard);
    }
    ck_assert_uint_eq(written, STREAM_BYTES);
}
END_TEST

/* ---- reading ---- */

/* A write that was cut has to come again as long as it was. */
static size_t say_some(size_t at)
{
    static size_t size;
    size_t taken = 0;

    if (size == 0)
        size = 1 + dice(30000);
    if (size > STREAM_BYTES - at)
        size = STREAM_BYTES - at;
    if (size == 0 || SSL_write_ex(client, stream + at, size, &taken) != 1)
        return 0;
    size = 0;
    return taken;
}

/* Into two pieces, as a large value and what follows it. */
static size_t read_some(size_t at)
{
    char one[7000], other[3000];
    struct iovec vectors[2] = {
        {.iov_base = one, .iov_len = 1 + dice(sizeof(one))},
        {.iov_base = other, .iov_len = 1 + dice(sizeof(other))}};
    ssize_t got = tls_link_readv(link_, vectors, COUNT_OF(vectors));
    size_t first = vectors[0].iov_len;

    if (got < 0) {
        ck_assert_int_eq(errno, EAGAIN);
        ck_assert(!tls_link_has_input(link_));
        return 0;
    }
    if ((size_t)got < first)
        first = (size_t)got;
    ck_assert_mem_eq(one, stream + at, first);
    ck_assert_mem_eq(other, stream + at + first, (size_t)got - first);
    return (size_t)got;
}

START_TEST(what_is_read_is_what_was_sent)
{
    size_t said = 0, had = 0;
    char byte;

    (void)SSL_set_mode(client, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                   SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    while (had < STREAM_BYTES) {
        if (dice(2) == 0)
            said += say_some(said);
        do
            had += read_some(had);
        while (tls_link_has_input(link_) && dice(4) > 0);
    }
    ck_assert_uint_eq(said, STREAM_BYTES);
    (void)SSL_shutdown(client);
    ck_assert_int_eq(tls_link_read(link_, &byte, 1), 0);
    ck_assert(tls_link_has_input(link_));
}
END_TEST

START_TEST(a_link_that_was_broken_stays_so)
{
    char byte;

    ck_assert_int_eq(send(fds[1], "garbage garbage", 15, 0), 15);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(tls_link_read(link_, &byte, 1), -1);
        ck_assert_int_eq(errno, EPROTO);
        ck_assert(tls_link_has_input(link_));
    }
    ck_assert_str_eq(tls_link_words(link_), "wrong version number");
}
END_TEST

/* ---- files ---- */

START_TEST(a_file_that_went_bad_changes_nothing)
{
    char words[TLS_WORDS_MAX];
    struct tls_link *later;
    FILE *file = fopen(chain_path, "w");

    (void)fputs("nothing\n", file);
    (void)fclose(file);
    ck_assert_int_eq(tls_reload(tls, words), -ERR_SYSTEM);
    ck_assert_ptr_nonnull(strstr(words, chain_path));
    later = tls_link_new(tls, LISTENER_TLS_MUTUAL, fds[0], 7);
    ck_assert_ptr_nonnull(later);
    ck_assert_uint_eq(tls_link_began_s(later), 7);
    tls_link_free(&later);
}
END_TEST

START_TEST(no_memory_is_an_error)
{
    const struct tls_config config = config_of_test();
    char words[TLS_WORDS_MAX];
    struct tls *second;
    size_t n;

    for (n = 1;; n++) {
        memory_fail_at(n);
        if (tls_new(&config, &second, words) == 0)
            break;
        ck_assert_ptr_nonnull(strstr(words, "out of memory"));
    }
    memory_fail_at(0);
    ck_assert_uint_gt(n, 2);
    tls_free(&second);
    memory_fail_at(1);
    ck_assert_ptr_null(tls_link_new(tls, LISTENER_TLS_DEFAULT, fds[0], 0));
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, what_is_written_arrives_wherever_it_was_cut, 0,
                        COUNT_OF(room_sizes));
    tcase_add_test(tests, what_is_read_is_what_was_sent);
    tcase_add_test(tests, a_link_that_was_broken_stays_so);
    tcase_add_test(tests, a_file_that_went_bad_changes_nothing);
    tcase_add_test(tests, no_memory_is_an_error);
}

UNIT_MAIN("tls_link", add_tests)
