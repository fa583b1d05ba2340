# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's libopus, called directly: FFmpeg shows neither in-band FEC nor concealment of its decoder."""

import threading
from typing import Any

from cffi import FFI

SONAME = "libopus.so.0"
PACKAGE = "libopus0"
"""Debian's, that has it."""
RATE_HZ = 48_000
MAX_PACKET_BYTES = 1275
"""Of one frame (RFC 6716 section 3.4); speech in packets of 60 ms needs a quarter of it."""
MAX_PACKET_SAMPLES = 5760
"""A packet lasts 120 ms at most (RFC 6716 section 3.2.5)."""

# From opus.h and opus_defines.h.
_DECLARATIONS = """
typedef struct OpusEncoder OpusEncoder;
typedef struct OpusDecoder OpusDecoder;
OpusEncoder *opus_encoder_create(int32_t Fs, int channels, int application, int *error);
int32_t opus_encode(OpusEncoder *st, const int16_t *pcm, int frame_size,
                    unsigned char *data, int32_t max_bytes);
int opus_encoder_ctl(OpusEncoder *st, int request, ...);
void opus_encoder_destroy(OpusEncoder *st);
OpusDecoder *opus_decoder_create(int32_t Fs, int channels, int *error);
int opus_decode(OpusDecoder *st, const unsigned char *data, int32_t len,
                int16_t *pcm, int frame_size, int fec);
int opus_decoder_ctl(OpusDecoder *st, int request, ...);
void opus_decoder_destroy(OpusDecoder *st);
int opus_packet_get_nb_samples(const unsigned char *packet, int32_t len, int32_t Fs);
int opus_packet_get_samples_per_frame(const unsigned char *data, int32_t Fs);
int opus_packet_get_nb_channels(const unsigned char *data);
int opus_packet_parse(const unsigned char *data, int32_t len, unsigned char *out_toc,
                      const unsigned char *frames[48], int16_t size[48], int *payload_offset);
const char *opus_strerror(int error);
const char *opus_get_version_string(void);
"""

OK = 0
APPLICATION_VOIP = 2048
APPLICATION_LOW_DELAY = 2051
SET_COMPLEXITY = 4010
SET_BITRATE = 4002
SET_INBAND_FEC = 4012
SET_PACKET_LOSS_PERC = 4014
SET_DTX = 4016
RESET_STATE = 4028

_lock = threading.Lock()
_loaded: "tuple[FFI, Any] | None" = None


class OpusError(Exception):
    """libopus is missing or refused something; the text is a sentence for a person."""


def load() -> "tuple[FFI, Any]":
    """The foreign-function interface and the library, loaded once. Raises OpusError. Any thread."""
    global _loaded
    with _lock:
        if _loaded is None:
            ffi = FFI()
            ffi.cdef(_DECLARATIONS)
            try:
                library = ffi.dlopen(SONAME)
            except OSError as error:
                raise OpusError(
                    f"the library {SONAME} is missing, no call has sound: apt-get install {PACKAGE}"
                ) from error
            _loaded = (ffi, library)
        return _loaded


def check(result: int, what: str) -> int:
    """The result itself when it is no error. Raises OpusError."""
    if result < OK:
        ffi, library = load()
        raise OpusError(f"libopus cannot {what}: {ffi.string(library.opus_strerror(result)).decode()}")
    return result


def version() -> str:
    """As the library tells it, for example "libopus 1.3.1". Raises OpusError."""
    ffi, library = load()
    text: bytes = ffi.string(library.opus_get_version_string())
    return text.decode()
