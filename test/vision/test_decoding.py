# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import struct
from types import SimpleNamespace
import zlib

import cv2
import numpy as np
import pytest
from tetra_vpr_ros.vision import decode_compressed, decode_message, decode_raw, ImageError
from tetra_vpr_ros.vision.decoding import compressed_size, MAX_PIXELS, SUPPORTED_ENCODINGS


@pytest.fixture
def rgb(drive):
    return drive[0][2]


def encode(rgb, encoding):
    """Make the bytes of an encoding from RGB, by OpenCV's own conversions."""
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    return {
        'rgb8': lambda: rgb, 'bgr8': lambda: rgb[:, :, ::-1], '8UC3': lambda: rgb[:, :, ::-1],
        'rgba8': lambda: cv2.cvtColor(rgb, cv2.COLOR_RGB2RGBA),
        'bgra8': lambda: cv2.cvtColor(rgb, cv2.COLOR_RGB2BGRA),
        'mono8': lambda: grey, '8UC1': lambda: grey,
        'mono16': lambda: grey.astype(np.uint16) * 257,
    }[encoding]()


@pytest.mark.parametrize('encoding', ['rgb8', 'bgr8', '8UC3', 'rgba8', 'bgra8'])
@pytest.mark.parametrize('padding', [0, 13])
def test_colour_encodings_are_lossless_with_and_without_row_padding(rgb, encoding, padding):
    pixels = np.ascontiguousarray(encode(rgb, encoding))
    rows = pixels.reshape(len(pixels), -1)
    padded = np.pad(rows, ((0, 0), (0, padding)), constant_values=99)
    image = decode_raw(*rgb.shape[:2], encoding, padded.shape[1], padded.tobytes())
    assert np.array_equal(image, rgb)


def test_last_row_may_lack_its_padding(rgb):
    padded = np.pad(rgb.reshape(len(rgb), -1), ((0, 0), (0, 8)))
    image = decode_raw(*rgb.shape[:2], 'rgb8', padded.shape[1], padded.tobytes()[:-8])
    assert np.array_equal(image, rgb)


@pytest.mark.parametrize('big', [False, True])
def test_mono16_scales_to_8_bits_in_either_byte_order(rgb, big):
    grey = encode(rgb, 'mono8')
    data = encode(rgb, 'mono16').astype('>u2' if big else '<u2')
    image = decode_raw(*grey.shape, 'mono16', grey.shape[1] * 2, data.tobytes(), big)
    assert np.array_equal(image, np.repeat(grey[:, :, None], 3, axis=2))


@pytest.mark.parametrize('name, red, blue', [
    ('bayer_rggb8', (0, 0), (1, 1)), ('bayer_bggr8', (1, 1), (0, 0)),
    ('bayer_gbrg8', (1, 0), (0, 1)), ('bayer_grbg8', (0, 1), (1, 0))])
def test_bayer_patterns_put_each_colour_in_its_channel(name, red, blue):
    mosaic = np.full((32, 32), 40, np.uint8)  # green
    mosaic[red[0]::2, red[1]::2] = 200
    mosaic[blue[0]::2, blue[1]::2] = 90
    image = decode_raw(32, 32, name, 32, mosaic.tobytes())
    assert np.array_equal(image[16, 16], [200, 40, 90])


@pytest.mark.parametrize('encoding, order', [
    ('yuv422', 'UYVY'), ('uyvy', 'UYVY'), ('yuv422_yuy2', 'YUYV'), ('yuyv', 'YUYV')])
def test_yuv422_forms(rgb, encoding, order):
    yuv = cv2.cvtColor(rgb, cv2.COLOR_RGB2YUV).astype(int)
    half = (yuv[:, 0::2, 1:] + yuv[:, 1::2, 1:]) // 2
    packed = np.empty((*rgb.shape[:2], 2), np.uint8)
    luma, chroma = (0, 1) if order == 'YUYV' else (1, 0)
    packed[:, :, luma] = yuv[:, :, 0]
    packed[:, 0::2, chroma], packed[:, 1::2, chroma] = half[:, :, 0], half[:, :, 1]
    image = decode_raw(*rgb.shape[:2], encoding, rgb.shape[1] * 2, packed.tobytes())
    # full range here, studio range there, and chroma of every second pixel
    assert np.corrcoef(image.ravel(), rgb.ravel())[0, 1] > 0.97


@pytest.mark.parametrize('change, says', [
    ({'encoding': '32FC1'}, "'32FC1' is not supported"), ({'height': 0}, 'empty'),
    ({'width': 0}, 'empty'), ({'step': 10}, 'step 10 is less'),
    ({'data': b'\0' * 100}, '100 bytes of data'), ({'data': b''}, '0 bytes'),
    ({'height': 12_000, 'width': 10_001, 'step': 30_003}, f'more than the {MAX_PIXELS}'),
    ({'encoding': 'yuv422', 'width': 63}, 'even width'),
    ({'encoding': 'bayer_rggb8', 'height': 2}, '3x3')])
def test_fields_that_do_not_fit_are_refused_with_the_reason(change, says):
    fields = {'height': 48, 'width': 64, 'encoding': 'rgb8', 'step': 192,
              'data': bytes(48 * 192), **change}
    with pytest.raises(ImageError, match=says):
        decode_raw(**fields)


def test_every_supported_encoding_decodes_something():
    for encoding in SUPPORTED_ENCODINGS:
        assert decode_raw(8, 8, encoding, 64, bytes(12 * 64)).shape == (8, 8, 3)


@pytest.mark.parametrize('suffix', ['.png', '.jpg'])
def test_compressed_images(rgb, suffix):
    data = cv2.imencode(suffix, rgb[:, :, ::-1])[1].tobytes()
    image = decode_compressed(data)
    assert compressed_size(data) == rgb.shape[:2]
    assert np.abs(image.astype(int) - rgb).mean() < (0.01 if suffix == '.png' else 8)
    assert np.array_equal(decode_compressed(data + b'\0' * 100), image)  # padded by a driver


def test_a_jpeg_may_be_decoded_smaller_but_never_below_what_is_needed(rgb):
    large = cv2.resize(rgb, (800, 600), interpolation=cv2.INTER_CUBIC)
    lying_large = large.transpose(1, 0, 2)
    for suffix, least, side in (('.jpg', 0, 600), ('.jpg', 301, 600), ('.jpg', 300, 300),
                                ('.jpg', 150, 150), ('.jpg', 70, 75), ('.jpg', 1, 75),
                                ('.png', 75, 600)):
        data = cv2.imencode(suffix, large[:, :, ::-1])[1].tobytes()
        lying_data = cv2.imencode(suffix, lying_large[:, :, ::-1])[1].tobytes()
        upright, lying = (decode_compressed(d, least=least) for d in (data, lying_data))
        assert min(upright.shape[:2]) == min(lying.shape[:2]) == side
        shrunk = cv2.resize(large, upright.shape[1::-1], interpolation=cv2.INTER_AREA)
        assert np.abs(upright.astype(float) - shrunk).mean() < 6  # of 255
        message = SimpleNamespace(data=data, format='')
        assert decode_message(message, least).shape == upright.shape


@pytest.mark.parametrize('suffix', ['.png', '.jpg'])
def test_truncated_pictures_are_refused_not_filled_with_grey(rgb, suffix):
    data = cv2.imencode(suffix, rgb)[1].tobytes()
    for keep in (1, 20, len(data) // 3, len(data) - 10):
        with pytest.raises(ImageError):
            decode_compressed(data[:keep])


def test_garbage_and_nothing_are_refused(rng):
    for data in (b'', b'GIF89a' + bytes(100), rng.bytes(1000), b'\xff\xd8' + rng.bytes(500),
                 b'\xff\xd8\xff\xff\x01\x00\x00', b'\x89PNG\r\n\x1a\n'):
        with pytest.raises(ImageError):
            decode_compressed(data)


def test_damaged_png_is_refused(rgb):
    data = bytearray(cv2.imencode('.png', rgb)[1].tobytes())
    data[40:4000] = bytes(3960)
    with pytest.raises(ImageError, match='PNG picture is damaged'):
        decode_compressed(bytes(data))


def test_a_png_chunk_without_an_end_is_refused(rgb):
    # OpenCV 5.0 reads such a file for ever.
    data = bytearray(cv2.imencode('.png', rgb)[1].tobytes())
    data[33] = 0xff  # the first byte of the length of what follows the header
    with pytest.raises(ImageError, match='truncated'):
        decode_compressed(bytes(data))


def test_a_decompression_bomb_is_refused_before_it_is_decoded():
    def chunk(kind, body):
        return (struct.pack('>I', len(body)) + kind + body
                + struct.pack('>I', zlib.crc32(kind + body)))

    png = (b'\x89PNG\r\n\x1a\n'
           + chunk(b'IHDR', struct.pack('>IIBBBBB', 100_000, 100_000, 8, 2, 0, 0, 0))
           + chunk(b'IDAT', zlib.compress(bytes(1000))) + chunk(b'IEND', b''))
    with pytest.raises(ImageError, match='100000x100000'):
        decode_compressed(png)
