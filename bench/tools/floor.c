// floor is a server that does nothing: it gives every login the same key, takes
// every upload, and has one answer for the rest. What the benchmark measures of it is what
// the client, the loopback and the kernel take, and so the most that a server can
// reach here.
//
//   cc -O2 -pthread -o /tmp/floor tools/floor.c && /tmp/floor 19790 &
//   go run . -peers wheel,go -launch servers.json -scenario auth -target name=floor,url=http://127.0.0.1:19790,proto=11,user=u%d,pass=p
#define _GNU_SOURCE
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct answer {
  char bytes[1024];
  int len;
};

static struct answer login, stored, meta;

// make_answer is an HTTP answer with text as one raw zstd frame.
static void make_answer(struct answer *a, const char *text) {
  int n = strlen(text), block = n << 3 | 1;
  a->len = snprintf(a->bytes, sizeof a->bytes,
      "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nanki-original-size: %d\r\nContent-Length: %d\r\n\r\n", n, n + 9);
  unsigned char frame[9] = {0x28, 0xb5, 0x2f, 0xfd, 0, 56, block, block >> 8, block >> 16};
  memcpy(a->bytes + a->len, frame, 9);
  memcpy(a->bytes + a->len + 9, text, n);
  a->len += 9 + n;
}

static void *serve(void *arg) {
  int fd = (int)(long)arg, n = 0, size = 8 << 20;
  char *b = malloc(size);
  while (b) {
    int k = read(fd, b + n, size - 1 - n);
    if (k <= 0) break;
    b[n += k] = 0;
    char *end = memmem(b, n, "\r\n\r\n", 4), *length = strcasestr(b, "content-length:");
    if (!end || n < end - b + 4 + (length && length < end ? atoi(length + 15) : 0)) continue;
    struct answer *a = memmem(b, 64, "/hostKey", 8) ? &login : memmem(b, 64, "/upload", 7) ? &stored : &meta;
    if (write(fd, a->bytes, a->len) != a->len) break;
    n = 0;
  }
  free(b);
  close(fd);
  return NULL;
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: %s PORT\n", argv[0]);
    return 2;
  }
  make_answer(&login, "{\"key\":\"0123456789abcdef0123456789abcdef\"}");
  make_answer(&stored, "OK");
  make_answer(&meta, "{\"mod\":1700000000000,\"scm\":1700000000000,\"usn\":1,\"ts\":1700000000,\"media_usn\":0,\"musn\":0,\"msg\":\"\",\"cont\":true,\"hostNum\":0,\"empty\":false,\"uname\":\"u1\"}");
  int s = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (bind(s, (struct sockaddr *)&addr, sizeof addr) || listen(s, 100)) {
    perror("listen");
    return 1;
  }
  for (;;) {
    int fd = accept(s, NULL, NULL);
    pthread_t t;
    if (fd < 0) continue;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (pthread_create(&t, NULL, serve, (void *)(long)fd)) close(fd);
    else pthread_detach(t);
  }
}
