# SPDX-License-Identifier: GPL-3.0-or-later
"""A 5x7 dot-matrix font for slates: printable ASCII, everything else brought down to it."""

import unicodedata
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

GLYPH_WIDTH, GLYPH_HEIGHT = 6, 8
"""A glyph's cell in dots: 5x7 with a column and a row of space."""

# Five columns of each character from space to tilde, the lowest bit on top.
_COLUMNS = bytes.fromhex(
    "0000000000" "00005f0000" "0007000700" "147f147f14" "242a7f2a12" "2313086462" "3649552250"
    "0005030000" "001c224100" "0041221c00" "14083e0814" "08083e0808" "0050300000" "0808080808"
    "0060600000" "2010080402" "3e5149453e" "00427f4000" "4261514946" "2141454b31" "1814127f10"
    "2745454539" "3c4a494930" "0171090503" "3649494936" "064949291e" "0036360000" "0056360000"
    "0814224100" "1414141414" "0041221408" "0201510906" "324979413e" "7e1111117e" "7f49494936"
    "3e41414122" "7f4141221c" "7f49494941" "7f09090901" "3e4149497a" "7f0808087f" "00417f4100"
    "2040413f01" "7f08142241" "7f40404040" "7f020c027f" "7f0408107f" "3e4141413e" "7f09090906"
    "3e4151215e" "7f09192946" "4649494931" "01017f0101" "3f4040403f" "1f2040201f" "3f4038403f"
    "6314081463" "0708700807" "6151494543" "007f414100" "0204081020" "0041417f00" "0402010204"
    "4040404040" "0001020400" "2054545478" "7f48444438" "3844444420" "384444487f" "3854545418"
    "087e090102" "0c5252523e" "7f08040478" "00447d4000" "2040443d00" "7f10284400" "00417f4000"
    "7c04180478" "7c08040478" "3844444438" "7c14141408" "081414187c" "7c08040408" "4854545420"
    "043f444020" "3c4040207c" "1c2040201c" "3c4030403c" "4428102844" "0c5050503c" "4464544c44"
    "0008364100" "00007f0000" "0041360800" "1008081008"
)  # fmt: skip


def line_bitmap(text: str) -> NDArray[np.bool_]:
    """One line as dots: 8 rows, 6 columns per character. What the font lacks becomes '?'."""
    if not text:
        return np.zeros((GLYPH_HEIGHT, 0), np.bool_)
    plain = unicodedata.normalize("NFKD", text)
    return np.concatenate(
        [_glyph(character) for character in plain if not unicodedata.combining(character)], axis=1
    )


@lru_cache(maxsize=256)
def _glyph(character: str) -> NDArray[np.bool_]:
    index = ord(character) - ord(" ")
    if not 0 <= index < len(_COLUMNS) // 5:
        index = ord("?") - ord(" ")
    columns = np.frombuffer(_COLUMNS[index * 5 : index * 5 + 5] + b"\0", np.uint8)
    return (columns[None, :] >> np.arange(GLYPH_HEIGHT)[:, None] & 1).astype(np.bool_)
