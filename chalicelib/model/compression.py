"""Compression of heads and history pages where a store bills by the kilobyte. Pure."""

from __future__ import annotations

import zlib
from typing import Final

MAX_PLAIN_BYTES: Final = 800
"""Longer texts are compressed: with their keys (about 200 bytes) they would be larger than a kilobyte."""

_DICTIONARY: Final = (
    b'["0.goods","0.0",{"h":[12],"e":"DeliveryFailed","x":"HTTP 500","y":"TimedOut","n":1}]"k":"0.","p":"0","x":0}],'
    b'"pr":{"r":"","u":""},"lb":{"customer":""},"un":[{"s":"","a":"","g":{"id":""},"t":"OK","u":""}],"ea":18,"ou":{"'
    b'"st":"paused","st":"compensating","pa":17,"ap":"open"}},"id":"","vn":1,"st":"running","df":{"f":"","v":1,"a":{"'
    b'":1}},"ca":18000,"ua":18000,"sa":18000,"dl":18000,"al":18006,"tk":[{"s":"","a":{"u":"-8","s":18000,"d":18006},'
    b'"t":"OK","r":{"id":"}}],"in":{"order_id":"","amount":},"vr":{"name":"","result":true,false,null,"ls":"",'
    b'"le":"_OK","sc":1,"wr":"","tl":[1,18000,[[0,"","OK","",{"s":""}],[123,"","OK","",{"h":[12],"d":{"id":"'
    b'"status":"}}]]],"ps":{"":"OK","'
)
"""What heads have in common. Texts that are stored need these very bytes: to change them, add another dictionary."""


def compressed(text: bytes) -> bytes:
    """Return the text in the format of zlib, with a dictionary."""
    compressor = zlib.compressobj(zdict=_DICTIONARY)
    return compressor.compress(text) + compressor.flush()


def decompressed(data: bytes) -> bytes:
    """Return the text that `compressed` made. Raises zlib.error."""
    return zlib.decompressobj(zdict=_DICTIONARY).decompress(data)
