# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Messages with the fields that real drivers put into them, and files that phones write."""

from types import SimpleNamespace

import cv2
import numpy as np
from PIL import Image as Picture
import pytest
from tetra_vpr_ros.vision import decode_compressed, decode_message, decode_raw, ImageError
from tetra_vpr_ros.vision.decoding import compressed_size

HEIGHT, WIDTH = 48, 64


@pytest.fixture(scope='module')
def rgb():
    """Return a smooth picture in which no two channels are alike."""
    small = np.random.default_rng(3).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    small[:, :, 2] //= 4
    return cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)


def raw(rows, encoding, padding=0, **fields):
    """Return a message whose rows are padded, as drivers with aligned buffers send them."""
    rows = np.ascontiguousarray(rows)
    rows = rows.reshape(len(rows), -1).view(np.uint8)
    padded = np.pad(rows, ((0, 0), (0, padding)), constant_values=77)
    return SimpleNamespace(**{
        'height': HEIGHT, 'width': WIDTH, 'encoding': encoding, 'is_bigendian': 0,
        'step': padded.shape[1], 'data': padded.tobytes(), **fields})


def semi_planar(rgb, order):
    i420 = cv2.cvtColor(rgb, cv2.COLOR_RGB2YUV_I420)
    u, v = i420[HEIGHT:].reshape(2, HEIGHT // 2, WIDTH // 2)
    pair = np.stack([u, v] if order == 'UV' else [v, u], axis=-1)
    return np.vstack([i420[:HEIGHT], pair.reshape(HEIGHT // 2, WIDTH)])


@pytest.mark.parametrize('encoding, order', [('nv12', 'UV'), ('NV12', 'UV'), ('nv21', 'VU')])
@pytest.mark.parametrize('padding', [0, 64])
def test_semi_planar_pictures(rgb, encoding, order, padding):
    image = decode_message(raw(semi_planar(rgb, order), encoding, padding))
    assert image.shape == rgb.shape
    assert np.abs(image.astype(int) - rgb).mean() < 6


@pytest.mark.parametrize('encoding, channels', [
    ('rgb16', [0, 1, 2]), ('bgr16', [2, 1, 0]), ('rgba16', [0, 1, 2, 0]),
    ('bgra16', [2, 1, 0, 0]), ('8UC3', [2, 1, 0]), ('8UC4', [2, 1, 0, 0]), ('RGB8', [0, 1, 2])])
@pytest.mark.parametrize('big', [0, 1])
def test_colours_of_either_depth_and_byte_order(rgb, encoding, channels, big):
    pixels = rgb[:, :, channels]
    if encoding.endswith('16'):
        pixels = (pixels.astype(np.uint16) * 257).astype('>u2' if big else '<u2')
    assert np.array_equal(decode_message(raw(pixels, encoding, 6, is_bigendian=big)), rgb)


def mosaic(rgb):
    pixels = rgb[:, :, 1].copy()
    pixels[0::2, 0::2], pixels[1::2, 1::2] = rgb[0::2, 0::2, 0], rgb[1::2, 1::2, 2]
    return pixels


@pytest.mark.parametrize('encoding', ['bayer_rggb8', 'bayer_rggb16'])
def test_mosaics(rgb, encoding):
    pixels = mosaic(rgb)
    if encoding.endswith('16'):
        pixels = pixels.astype(np.uint16) * 257
    image = decode_message(raw(pixels, encoding))
    assert np.abs(image.astype(int) - rgb)[2:-2, 2:-2].mean() < 4


@pytest.mark.parametrize('encoding', ['mono16', 'mono8', '8UC1'])
def test_grey(rgb, encoding):
    grey = rgb[:, :, 0]
    pixels = (grey.astype(np.uint16) * 257).astype('>u2') if encoding == 'mono16' else grey
    image = decode_message(raw(pixels, encoding, 10, is_bigendian=1))
    assert np.array_equal(image, np.repeat(grey[:, :, None], 3, 2))


def test_a_step_of_zero_is_that_of_the_pixels_where_the_data_fit(rgb):
    assert np.array_equal(decode_message(raw(rgb, 'rgb8', step=0)), rgb)
    with pytest.raises(ImageError, match='step 0 is less'):
        decode_message(raw(rgb, 'rgb8', 4, step=0))


def test_rows_that_are_longer_than_they_say_are_refused_not_sheared(rgb):
    # Of a Raspberry Pi: buffers of 416 x 320 pixels for pictures of 410 x 308.
    message = SimpleNamespace(height=308, width=410, encoding='rgb8', step=1230, is_bigendian=0,
                              data=bytes(416 * 320 * 3))
    with pytest.raises(ImageError, match='pads the rows, but does not say so in step'):
        decode_message(message)
    # The same in grey is longer by less than a page.
    message = SimpleNamespace(height=308, width=410, encoding='mono8', step=410, is_bigendian=0,
                              data=bytes(416 * 308))
    with pytest.raises(ImageError, match='pads the rows, but does not say so in step'):
        decode_message(message)
    # Rows below the picture are no fault, nor is the rest of a page.
    for more in (bytes(8 * WIDTH * 3), bytes(100)):
        assert np.array_equal(decode_message(raw(rgb, 'rgb8', data=rgb.tobytes() + more)), rgb)
    # Colours begin after all rows of brightness: where that is, would be guessed.
    message = raw(np.zeros((1620, 1920), np.uint8), 'nv12', height=1080, width=1920)
    assert decode_message(message).shape == (1080, 1920, 3)
    message.data += bytes(12 * 1920)
    with pytest.raises(ImageError, match='bytes of data for 1620 rows'):
        decode_message(message)


def test_a_jpeg_that_is_sent_as_raw_pixels(rgb):
    # usb_cam's raw_mjpeg: a buffer as large as the pixels, with a JPEG at its beginning.
    data = jpeg(rgb)
    message = raw(rgb, 'rgb8', data=data + bytes(rgb.size - len(data)))
    assert np.array_equal(decode_message(message), decode_compressed(data))


@pytest.mark.parametrize('encoding, says', [
    ('16UC1', "choose the topic of the camera's colour or grey image, .*mono8 or mono16"),
    ('32FC1', 'depths'), ('h264', "film's stream.*republish"), ('jpeg', 'CompressedImage'),
    ('nv24', 'let the driver publish rgb8, bgr8 or mono8'), ('', "encoding '' is not supported")])
def test_what_is_no_picture_is_refused_with_the_mend(rgb, encoding, says):
    with pytest.raises(ImageError, match=says):
        decode_message(raw(rgb, encoding))
    with pytest.raises(ImageError, match='it is no image message'):
        decode_message(SimpleNamespace(encoding=3))


@pytest.mark.parametrize('fields, says', [
    ({'height': HEIGHT - 1}, 'even height'), ({'width': WIDTH - 1}, 'even width'),
    ({'height': HEIGHT * 3 // 2}, 'bytes of data for 108 rows')])
def test_semi_planar_fields_that_do_not_fit(rgb, fields, says):
    with pytest.raises(ImageError, match=says):
        decode_message(raw(semi_planar(rgb, 'UV'), 'nv12', **fields))


def jpeg(rgb, *parameters):
    return cv2.imencode('.jpg', rgb[:, :, ::-1], list(parameters))[1].tobytes()


KINDS = [(), (cv2.IMWRITE_JPEG_PROGRESSIVE, 1), (cv2.IMWRITE_JPEG_RST_INTERVAL, 2)]


@pytest.mark.parametrize('parameters', KINDS)
@pytest.mark.parametrize('more', [
    bytes(5000), bytes(300_000), b'\0\0\0\x18ftypmp42' + bytes(range(256)) * 40, b'\xff' * 3000,
    b'\r\n--boundary\r\n', b'\xff\xd8\xff\xe0'])
def test_what_follows_the_end_of_a_jpeg_is_left_alone(rgb, parameters, more):
    data = jpeg(rgb, *parameters)
    assert np.array_equal(decode_compressed(data + more), decode_compressed(data))


def with_thumbnail(data):
    """Put a whole JPEG into a segment of its own, as cameras do in their EXIF data."""
    inner = jpeg(np.zeros((8, 8, 3), np.uint8))
    return (data[:2] + b'\xff\xe1' + (len(inner) + 2).to_bytes(2, 'big') + inner
            + b'\xff\xff\xff' + data[3:])  # and fill a marker up


@pytest.mark.parametrize('parameters', KINDS)
@pytest.mark.parametrize('end', [b'', bytes(5000), b'\xff' * 40, 'next'])
def test_truncated_jpegs_are_refused_whatever_follows(rgb, parameters, end):
    data = with_thumbnail(jpeg(rgb, *parameters))
    assert compressed_size(data) == rgb.shape[:2]
    assert np.array_equal(decode_compressed(data), decode_compressed(jpeg(rgb, *parameters)))
    for keep in (len(data) // 2, len(data) - 40, len(data) - 2):
        with pytest.raises(ImageError):
            decode_compressed(data[:keep] + (jpeg(rgb) if end == 'next' else end))


@pytest.mark.parametrize('form', [
    '', 'jpeg', 'jpg', 'rgb8; jpeg compressed bgr8', 'bgr8; jpeg compressed ', 'mjpeg', ';;',
    'bayer_rggb8; jpeg compressed bgr8', 'png', 'H264'])
def test_the_bytes_decide_and_not_the_format(rgb, form):
    message = SimpleNamespace(format=form, data=np.frombuffer(jpeg(rgb), np.uint8))
    assert np.array_equal(decode_message(message), decode_compressed(jpeg(rgb)))


@pytest.mark.parametrize('form, suffix, scale', [
    ('bayer_rggb8; jpeg compressed ', '.jpg', 1), ('bayer_rggb8; png compressed ', '.png', 1),
    ('bayer_rggb16; png compressed ', '.png', 257)])
def test_a_mosaic_that_was_compressed_as_it_is(rgb, form, suffix, scale):
    pixels = mosaic(rgb).astype(np.uint8 if scale == 1 else np.uint16) * scale
    data = cv2.imencode(suffix, pixels, [cv2.IMWRITE_JPEG_QUALITY, 100])[1].tobytes()
    image = decode_compressed(data, form)
    assert np.abs(image.astype(int) - rgb)[2:-2, 2:-2].mean() < 5


@pytest.mark.parametrize('data, form, says', [
    (b'\0\0\0\x01\x67\x42', 'h264', 'but h264, a film'),
    (b'\0\0\x01\x67\x42', '', 'H.264 or H.265'),
    (bytes(12) + b'\x89PNG\r\n\x1a\n', '16UC1; compressedDepth png', 'but depths'),
    (b'RIFF\0\0\0\0WEBP', 'webp', 'WebP: save or publish it as JPEG or PNG'),
    (b'\0\0\0\x18ftypheic', '', 'HEIF'), (b'\x12\x34', 'zdepth', r"\(format 'zdepth'\)")])
def test_other_formats_are_named(data, form, says):
    with pytest.raises(ImageError, match=says):
        decode_compressed(data, form)


def test_depths_in_a_png_are_no_picture():
    data = cv2.imencode('.png', np.zeros((8, 8), np.uint16))[1].tobytes()
    with pytest.raises(ImageError, match='holds depths, not a picture'):
        decode_compressed(data, '16UC1; png compressed ')


def test_a_photograph_that_was_taken_upright_stands_upright(rgb, tmp_path):
    exif = Picture.Exif()
    exif[0x0112] = 6  # the camera was turned a quarter to the right
    Picture.fromarray(rgb).save(tmp_path / 'a.jpg', exif=exif, quality=100)
    image = decode_compressed((tmp_path / 'a.jpg').read_bytes())
    assert np.abs(image.astype(int) - np.rot90(rgb, -1)).mean() < 4


def test_raw_fields_are_those_of_the_message(rgb):
    m = raw(rgb, 'rgb8', 3)
    assert np.array_equal(decode_message(m), decode_raw(
        m.height, m.width, m.encoding, m.step, m.data))
