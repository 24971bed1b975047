/*
 * A fake GigE Vision 3D camera on Aravis' fake one: fake-3d-camera ADDRESS SERIAL DESCRIPTION.xml
 *
 * SIGUSR1 turns on and off the loss of 2 packets in a thousand, SIGUSR2 of every second one, SIGHUP halves the height
 * behind its controller's back, and makes it whole again.
 *
 * It sees a tilted plane: z = 500 mm + 0.1 mm per column, points every 0.5 mm around the axis. Column 0 is invalid by its
 * code (65535), in float formats column 1 by NaN. Row 0 lies 0 to 15 mm deeper, in turn: no two frames near each other are equal.
 *
 * As Mono8 it is a grey picture that begins with the time of its exposure: CLOCK_MONOTONIC in ns, eight bytes, lowest first.
 */
#include <arv.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct {
  guint32 format;
  gint width, height;
  guint frames;
} Scene;

static void put(char *data, guint32 format, gint width, gint height, gint x, gint y, float depth) {
  gsize at = (gsize) y * width + x;
  gboolean is_invalid = x == 0;
  float z = is_invalid ? 65535.0f : x == 1 ? NAN : depth;
  switch (format) {
    case ARV_PIXEL_FORMAT_MONO_16:
    case ARV_PIXEL_FORMAT_COORD3D_C_16:
      ((guint16 *) data)[at] = is_invalid ? 65535 : (guint16) ((depth - 400.0f) / 0.25f + 0.5f);
      break;
    case ARV_PIXEL_FORMAT_COORD3D_C_32F:
      ((float *) data)[at] = z;
      break;
    case ARV_PIXEL_FORMAT_COORD3D_ABC_32F:
      ((float *) data)[at * 3] = (x - width / 2) * 0.5f;
      ((float *) data)[at * 3 + 1] = (y - height / 2) * 0.5f;
      ((float *) data)[at * 3 + 2] = z;
      break;
    default:
      data[at] = (char) (x + y + (gint) depth);
  }
}

/* Most of the picture stays from frame to frame, so that filling costs no latency. */
static void fill(ArvBuffer *buffer, void *user_data, guint32 exposure_us, guint32 gain, ArvPixelFormat format) {
  Scene *scene = user_data;
  gint width = arv_buffer_get_image_width(buffer);
  gint height = arv_buffer_get_image_height(buffer);
  char *data = (char *) arv_buffer_get_data(buffer, NULL);
  static char *filled = NULL;
  gboolean is_new = filled != data || scene->format != format || scene->width != width || scene->height != height;
  float deeper = (float) (scene->frames++ % 16);
  for (gint y = 0; y < (is_new ? height : 1); y++) {
    for (gint x = 0; x < width; x++) put(data, format, width, height, x, y, 500.0f + 0.1f * x + (y == 0 ? deeper : 0.0f));
  }
  if (format == ARV_PIXEL_FORMAT_MONO_8 && width * height >= 8) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    guint64 stamp = GUINT64_TO_LE(now.tv_sec * G_GUINT64_CONSTANT(1000000000) + now.tv_nsec);
    memcpy(data, &stamp, sizeof stamp);
  }
  filled = data;
  *scene = (Scene) {format, width, height, scene->frames};
}

int main(int count, char **arguments) {
  if (count < 4) return 2;
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGUSR1);
  sigaddset(&signals, SIGUSR2);
  sigaddset(&signals, SIGHUP);
  /* Before the camera's thread starts: it inherits this. */
  pthread_sigmask(SIG_BLOCK, &signals, NULL);
  ArvGvFakeCamera *camera = arv_gv_fake_camera_new_full(arguments[1], arguments[2], arguments[3]);
  if (!arv_gv_fake_camera_is_running(camera)) return 1;
  ArvFakeCamera *device = arv_gv_fake_camera_get_fake_camera(camera);
  Scene scene = {0};
  arv_fake_camera_set_fill_pattern(device, fill, &scene);
  arv_fake_camera_set_trigger_frequency(device, 200.0);
  gboolean is_lossy = FALSE, is_half = FALSE;
  guint32 height = 0;
  for (;;) {
    int signal = 0;
    sigwait(&signals, &signal);
    if (signal == SIGHUP) {
      guint32 now = 0;
      arv_fake_camera_read_register(device, ARV_FAKE_CAMERA_REGISTER_HEIGHT, &now);
      is_half = !is_half;
      if (is_half) height = now;
      /* Its controller may have set another height meanwhile, and buffers for it. */
      if (is_half || now == height / 2) {
        arv_fake_camera_write_register(device, ARV_FAKE_CAMERA_REGISTER_HEIGHT, is_half ? height / 2 : height);
      }
    } else {
      is_lossy = !is_lossy;
      g_object_set(camera, "gvsp-lost-ratio", is_lossy ? (signal == SIGUSR1 ? 0.002 : 0.5) : 0.0, NULL);
    }
  }
}
