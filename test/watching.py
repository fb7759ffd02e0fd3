# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A reader of the live view that is no browser."""

from contextlib import closing
import json
import socket
import time
from urllib.parse import urlsplit
from urllib.request import urlopen

ENOUGH = 120.0  # seconds that anything may take on a busy machine; what is awaited comes earlier


def messages(url):
    """Yield what the view tells its pages, one message after the other."""
    with urlopen(f'{url}events', timeout=ENOUGH) as stream:
        for line in stream:
            if line.startswith(b'data: '):
                yield json.loads(line[6:])


def awaited(url, until):
    """Return the first message that is so."""
    deadline = time.monotonic() + ENOUGH
    for told in messages(url):
        if until(told):
            return told
        assert time.monotonic() < deadline, told
    raise AssertionError('the view has ended')


def ask(url, path='/', method='GET', **headers):
    """Return status, headers and body of an answer; with any Host header."""
    host, port = urlsplit(url).hostname, urlsplit(url).port
    headers = {'Host': f'{host}:{port}', 'Connection': 'close', **headers}
    lines = [f'{method} {path} HTTP/1.1', *(f'{name}: {value}' for name, value in headers.items())]
    with closing(socket.create_connection((host, port), ENOUGH)) as connection:
        connection.sendall(('\r\n'.join(lines) + '\r\n\r\n').encode())
        answer = b''
        while part := connection.recv(2**16):
            answer += part
    head, _, body = answer.partition(b'\r\n\r\n')
    status, *rest = head.decode().split('\r\n')
    return int(status.split()[1]), {name.lower(): value for name, _, value in
                                    (line.partition(': ') for line in rest)}, body
