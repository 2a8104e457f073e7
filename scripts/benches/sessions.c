/* Sessions of OpenSSL's with a server of HTTPS: as many as can be had in a time, or some that are held.
 *
 * usage: sessions ADDRESS PATH full|resumed GROUPS MILLISECONDS CLIENTS
 *            says `sessions COUNT MICROSECONDS`: each shook hands, got a response, and was closed by the server
 *        sessions ADDRESS PATH hold GROUPS COUNT
 *            says `held COUNT` once each has its response, and lets go at the end of standard input */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void check(int fine, const char *what) {
    if (fine)
        return;
    perror(what);
    ERR_print_errors_fp(stderr);
    exit(1);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static SSL_SESSION *kept;
static int keep(SSL *ssl, SSL_SESSION *session) {
    (void)ssl;
    SSL_SESSION_free(kept);
    kept = session;
    return 1;
}

static struct sockaddr_in server = {.sin_family = AF_INET};
static char request[512];
static SSL_CTX *context;

static SSL *shaken_hands(int resume) {
    int on = 1, stream = socket(AF_INET, SOCK_STREAM, 0);
    check(stream >= 0, "socket");
    check(connect(stream, (struct sockaddr *)&server, sizeof server) == 0, "connect");
    setsockopt(stream, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    SSL *ssl = SSL_new(context);
    check(ssl && SSL_set_fd(ssl, stream), "session");
    if (resume)
        check(SSL_set_session(ssl, kept), "the session of before");
    SSL_set_tlsext_host_name(ssl, "www.test");
    check(SSL_connect(ssl) == 1, "handshake");
    check(SSL_session_reused(ssl) == resume, resume ? "not resumed" : "resumed");
    return ssl;
}

static void let_go(SSL *ssl) {
    int stream = SSL_get_fd(ssl);
    SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(ssl);
    close(stream);
}

/* The whole response, up to its end where the server closes. */
static void answered(SSL *ssl, int to_the_end) {
    char buffer[16384];
    size_t total = 0;
    int got;
    check(SSL_write(ssl, request, strlen(request)) > 0, "request");
    while ((got = SSL_read(ssl, buffer, sizeof buffer)) > 0) {
        if (total == 0)
            check(got > 12 && memcmp(buffer, "HTTP/1.1 200", 12) == 0, "response");
        total += got;
        if (!to_the_end)
            break;
    }
    check(total > 0, "no response");
    check(!to_the_end || SSL_get_error(ssl, got) == SSL_ERROR_ZERO_RETURN, "it does not end in close_notify");
}

static void hold(int count) {
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    for (int i = 0; i < count; i++)
        answered(shaken_hands(0), 0);
    printf("held %d\n", count);
    fflush(stdout);
    char byte;
    while (read(0, &byte, 1) > 0)
        ;
    /* They end with this program, without a word. */
    _exit(0);
}

int main(int argc, char **argv) {
    check(argc > 5, "usage: sessions ADDRESS PATH full|resumed|hold GROUPS MILLISECONDS|COUNT [CLIENTS]");
    int held = strcmp(argv[3], "hold") == 0, resume = strcmp(argv[3], "resumed") == 0;
    check(inet_pton(AF_INET, argv[1], &server.sin_addr) == 1, "address");
    server.sin_port = htons(443);
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: www.test\r\n%s\r\n", argv[2], held ? "" : "Connection: close\r\n");
    context = SSL_CTX_new(TLS_client_method());
    check(SSL_CTX_set1_groups_list(context, argv[4]), "groups");
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, keep);
    if (held)
        hold(atoi(argv[5]));
    check(argc > 6, "CLIENTS");
    int clients = atoi(argv[6]);
    long *counts = mmap(0, clients * sizeof *counts, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    check(counts != MAP_FAILED, "mmap");
    double began = now(), end = began + atof(argv[5]) * 1e3;
    for (int client = 0; client < clients; client++) {
        pid_t child = fork();
        check(child >= 0, "fork");
        if (child)
            continue;
        /* The first is always full; it counts only where that is wanted. */
        for (int first = 1; now() < end; first = 0) {
            SSL *ssl = shaken_hands(resume && !first);
            answered(ssl, 1);
            let_go(ssl);
            counts[client] += !(resume && first);
        }
        _exit(0);
    }
    int status, failed = 0;
    while (wait(&status) > 0)
        failed |= status;
    check(!failed, "a client");
    long count = 0;
    for (int client = 0; client < clients; client++)
        count += counts[client];
    printf("sessions %ld %.0f\n", count, now() - began);
    return 0;
}
