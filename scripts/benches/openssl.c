/* What TLS costs a server of OpenSSL's, measured in memory, in the words of site/tls/examples/measure.rs.
 *
 * usage: openssl CERTIFICATE KEY [HANDSHAKES] */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { RECORD = 16384, RECORDS = 16, TRIALS = 2000 };

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void check(int fine, const char *what) {
    if (fine)
        return;
    fprintf(stderr, "openssl: %s\n", what);
    ERR_print_errors_fp(stderr);
    exit(1);
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *figures, int count) {
    qsort(figures, count, sizeof *figures, ascending);
    return figures[count / 2];
}

static SSL_SESSION *kept;
static int keep(SSL *ssl, SSL_SESSION *session) {
    (void)ssl;
    SSL_SESSION_free(kept);
    kept = session;
    return 1;
}

struct pair {
    SSL *server, *client;
    double spent;
};

/* Both ends, once the handshake is over and the client has sent a request. */
static struct pair connected(SSL_CTX *server, SSL_CTX *client, int resume) {
    static const char request[] = "GET / HTTP/1.1\r\n\r\n";
    struct pair pair = {0};
    char buffer[256];
    BIO *a, *b;
    double began = now();
    pair.server = SSL_new(server);
    SSL_set_accept_state(pair.server);
    pair.spent = now() - began;
    pair.client = SSL_new(client);
    SSL_set_connect_state(pair.client);
    check(BIO_new_bio_pair(&a, 1 << 17, &b, 1 << 17), "pair");
    SSL_set_bio(pair.server, a, a);
    SSL_set_bio(pair.client, b, b);
    SSL_set_tlsext_host_name(pair.client, "localhost");
    if (resume)
        check(SSL_set_session(pair.client, kept), "session");
    for (;;) {
        int result = SSL_do_handshake(pair.client), done = result == 1;
        check(done || SSL_get_error(pair.client, result) == SSL_ERROR_WANT_READ, "the client's handshake");
        if (done && SSL_write(pair.client, request, sizeof request - 1) <= 0)
            check(0, "request");
        began = now();
        result = SSL_do_handshake(pair.server);
        int got = result == 1 ? SSL_read(pair.server, buffer, sizeof buffer) : 0;
        pair.spent += now() - began;
        check(result == 1 || SSL_get_error(pair.server, result) == SSL_ERROR_WANT_READ, "the server's handshake");
        if (done && got > 0)
            break;
    }
    /* Takes the tickets. */
    SSL_read(pair.client, buffer, sizeof buffer);
    check(SSL_session_reused(pair.server) == resume, resume ? "not resumed" : "resumed");
    return pair;
}

static void closed(struct pair pair) {
    SSL_set_shutdown(pair.client, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(pair.client);
    SSL_free(pair.server);
}

static SSL_CTX *client_of(int version, const char *group, const char *suite) {
    SSL_CTX *client = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_min_proto_version(client, version);
    SSL_CTX_set_max_proto_version(client, version);
    check(SSL_CTX_set1_groups_list(client, group), group);
    check(version == TLS1_3_VERSION ? SSL_CTX_set_ciphersuites(client, suite) : SSL_CTX_set_cipher_list(client, suite), suite);
    SSL_CTX_set_session_cache_mode(client, SSL_SESS_CACHE_CLIENT);
    SSL_CTX_sess_set_new_cb(client, keep);
    return client;
}

int main(int argc, char **argv) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    check(argc > 2, "usage: openssl CERTIFICATE KEY [HANDSHAKES]");
    int count = argc > 3 ? atoi(argv[3]) : 1000;
    double *figures = calloc(count > TRIALS ? count : TRIALS, sizeof *figures);
    SSL_CTX *server = SSL_CTX_new(TLS_server_method());
    check(SSL_CTX_use_certificate_chain_file(server, argv[1]), "certificate");
    check(SSL_CTX_use_PrivateKey_file(server, argv[2], SSL_FILETYPE_PEM), "key");
    SSL_CTX_set_session_cache_mode(server, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_session_id_context(server, (const unsigned char *)"x", 1);

    static const struct {
        int version;
        const char *name, *shown, *group, *suite;
    } kinds[] = {
        {TLS1_3_VERSION, "1.3", "X25519", "X25519", "TLS_AES_128_GCM_SHA256"},
        {TLS1_3_VERSION, "1.3", "P-256", "P-256", "TLS_AES_128_GCM_SHA256"},
        {TLS1_2_VERSION, "1.2", "X25519", "X25519:P-256", "ECDHE-ECDSA-AES128-GCM-SHA256"},
    };
    for (size_t kind = 0; kind < sizeof kinds / sizeof *kinds; kind++) {
        SSL_CTX *client = client_of(kinds[kind].version, kinds[kind].group, kinds[kind].suite);
        for (int resume = 0; resume < 2; resume++) {
            for (int i = 0; i < count; i++) {
                struct pair pair = connected(server, client, resume);
                figures[i] = pair.spent * 1e6;
                closed(pair);
            }
            printf("%s %s %s us %.1f\n", resume ? "resumed" : "full", kinds[kind].name, kinds[kind].shown, median(figures, count));
        }
        SSL_CTX_free(client);
    }

    static const char *const suites[][2] = {
        {"AES-128-GCM", "TLS_AES_128_GCM_SHA256"},
        {"AES-256-GCM", "TLS_AES_256_GCM_SHA384"},
        {"ChaCha20-Poly1305", "TLS_CHACHA20_POLY1305_SHA256"},
    };
    static char text[RECORD];
    memset(text, 'x', sizeof text);
    for (size_t suite = 0; suite < sizeof suites / sizeof *suites; suite++) {
        SSL_CTX *client = client_of(TLS1_3_VERSION, "X25519", suites[suite][1]);
        struct pair pair = connected(server, client, 0);
        /* What is sealed is not even copied out: the most that OpenSSL can do. */
        SSL_set0_wbio(pair.server, BIO_new(BIO_s_null()));
        for (int trial = 0; trial < TRIALS; trial++) {
            double began = now();
            for (int i = 0; i < RECORDS; i++)
                check(SSL_write(pair.server, text, RECORD) == RECORD, "write");
            figures[trial] = (double)RECORD * RECORDS / (now() - began) / 1e9;
        }
        printf("seal 1.3 %s GB/s %.2f\n", suites[suite][0], median(figures, TRIALS));
        closed(pair);
        SSL_CTX_free(client);
    }
    return 0;
}
