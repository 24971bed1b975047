/*
 * Reference bridge: synthetic parts over the protocol of docs/bridge-protocol.md.
 *
 *   cc -O2 -o bridge bridge.c -lm -lz          (Debian: gcc, zlib1g-dev)
 *   ./bridge [width height format fps]         format: Mono8 RGB8 C16 C32f ABC32f, default 640 480 ABC32f 25
 *
 * For a little-endian machine: the header is written as it lies in memory.
 */
#define _GNU_SOURCE
#include <math.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

enum kind { HELLO = 1, FRAME = 2 };
enum format { MONO8 = 1, RGB8, C16, C32F, ABC32F };
static const char *const names[] = {"", "Mono8", "RGB8", "C16", "C32f", "ABC32f"};
static const size_t pixel_bytes[] = {0, 1, 3, 2, 4, 12};

struct header {
  char magic[4];
  uint16_t version, header_bytes, kind, format;
  uint32_t flags, width, height;
  uint64_t sequence, trigger, exposed_ns;
  double scale[3], offset[3];
  float invalid, focal_x, focal_y, centre_x, centre_y;
  uint32_t payload_bytes, payload_crc, header_crc;
};
_Static_assert(sizeof(struct header) == 128, "the protocol's header has no padding");

#define PICTURES 3
static int frames; /* where they go: stdout as it was at the start */
static uint32_t width = 640, height = 480;
static enum format format = ABC32F;
static unsigned char *pictures[PICTURES];

static void put(const void *bytes, size_t count) {
  for (const char *at = bytes; count > 0;) {
    ssize_t written = write(frames, at, count);
    if (written <= 0) exit(1); /* the daemon is gone */
    at += written;
    count -= (size_t)written;
  }
}

static void send_message(struct header header, const void *payload, size_t count) {
  memcpy(header.magic, "RDRB", 4);
  header.version = 1;
  header.header_bytes = sizeof header;
  header.payload_bytes = (uint32_t)count;
  header.payload_crc = (uint32_t)crc32(0, payload, (uInt)count);
  header.header_crc = (uint32_t)crc32(0, (const void *)&header, sizeof header - 4);
  put(&header, sizeof header);
  put(payload, count);
}

static uint64_t now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static float column_metres(uint32_t x) { return 0.16f * (float)x / (float)(width > 1 ? width - 1 : 1) - 0.08f; }
static float row_metres(uint32_t y) { return 0.12f * (float)y / (float)(height > 1 ? height - 1 : 1) - 0.06f; }

/* Instead of an SDK's: a dome of 20 mm on a plate, half a metre away. */
static void draw(unsigned char *picture) {
  for (uint32_t y = 0; y < height; y++) {
    for (uint32_t x = 0; x < width; x++) {
      float right = column_metres(x), down = row_metres(y);
      float noise = (float)(rand() % 7 - 3);
      float z = 0.5f - sqrtf(fmaxf(0, 0.0016f - right * right - down * down)) / 2 + noise * 1e-5f;
      float light = (0.52f - z) * 5000 + noise;
      unsigned char grey = (unsigned char)fminf(255, fmaxf(0, light));
      unsigned char *pixel = picture + ((size_t)y * width + x) * pixel_bytes[format];
      unsigned char colours[3] = {grey, grey / 2, (unsigned char)(255 - grey)};
      uint16_t raw = (uint16_t)(z / 1e-5f);
      float point[3] = {right, down, z};
      switch (format) {
        case MONO8: *pixel = grey; break;
        case RGB8: memcpy(pixel, colours, 3); break;
        case C16: memcpy(pixel, &raw, 2); break;
        case C32F: memcpy(pixel, &z, 4); break;
        case ABC32F: memcpy(pixel, point, 12); break;
      }
    }
  }
}

static void send_frame(uint64_t trigger) {
  static uint64_t sequence;
  struct header header = {.kind = FRAME, .format = (uint16_t)format, .width = width, .height = height,
                          .trigger = trigger, .exposed_ns = now_ns(), .scale = {1, 1, 1}};
  if (format == C16 || format == C32F) { /* columns and rows lie on a grid */
    header.scale[0] = 0.16 / (width > 1 ? width - 1 : 1), header.offset[0] = -0.08;
    header.scale[1] = 0.12 / (height > 1 ? height - 1 : 1), header.offset[1] = -0.06;
  }
  if (format == C16) header.scale[2] = 1e-5, header.flags = 1, header.invalid = 65535;
  header.sequence = ++sequence;
  send_message(header, pictures[sequence % PICTURES], (size_t)width * height * pixel_bytes[format]);
}

int main(int count, char **arguments) {
  frames = dup(1);
  dup2(2, 1); /* what an SDK prints must not get between the frames */
  double fps = count > 4 ? atof(arguments[4]) : 25;
  if (count > 2) width = (uint32_t)atoi(arguments[1]), height = (uint32_t)atoi(arguments[2]);
  for (enum format one = MONO8; count > 3 && one <= ABC32F; one++)
    if (strcmp(arguments[3], names[one]) == 0) format = one;
  if (width < 1 || width > 16384 || height < 1 || height > 16384 || fps <= 0) return 2;
  srand((unsigned)now_ns());
  for (int i = 0; i < PICTURES; i++) {
    pictures[i] = malloc((size_t)width * height * pixel_bytes[format]);
    if (pictures[i] == NULL) return 1;
    draw(pictures[i]);
  }
  char hello[200];
  int length = snprintf(hello, sizeof hello,
                        "{\"name\":\"reference bridge 1 (C)\",\"device\":\"synthetic dome\",\"formats\":[\"%s\"],\"clock\":\"monotonic\"}",
                        names[format]);
  send_message((struct header){.kind = HELLO}, hello, (size_t)length);

  struct pollfd input = {.fd = 0, .events = POLLIN};
  char line[70000]; /* of configure, at most */
  size_t filled = 0;
  int is_free = 0;
  uint64_t due = 0;
  for (;;) {
    uint64_t now = now_ns();
    int wait_ms = !is_free ? -1 : due > now ? (int)((due - now) / 1000000) : 0;
    if (poll(&input, 1, wait_ms) > 0) {
      ssize_t got = read(0, line + filled, sizeof line - 1 - filled);
      if (got <= 0) return 0; /* the daemon is gone, or the line has no end */
      filled += (size_t)got;
      line[filled] = 0;
      char *at = line, *end;
      for (; (end = strchr(at, '\n')) != NULL; at = end + 1) {
        *end = 0;
        if (strcmp(at, "stop") == 0) return 0;
        if (strcmp(at, "start free") == 0) is_free = 1;
        if (strncmp(at, "trigger ", 8) == 0) send_frame(strtoull(at + 8, NULL, 10));
      }
      filled = strlen(at);
      memmove(line, at, filled + 1);
    }
    if (is_free && now_ns() >= due) {
      uint64_t next = due + (uint64_t)(1e9 / fps);
      due = next > now_ns() ? next : now_ns();
      send_frame(0);
    }
  }
}
