"""Makes a small picture of an image, in a process of its own: `python -m hub.pictures FROM TO`.

Whoever sends an image chooses what a decoder gets to read, so it is read where nothing else is:
without the node's secrets in its environment, within bounds of memory, time and bytes written. Only
four formats are decoded, none of which can run anything; how many pixels there are is looked at
before any of them is. What comes out is a JPEG without a word of what stood beside the pixels:
no place, no device, no author.
"""

from __future__ import annotations

import resource
import sys
import warnings
from pathlib import Path
from typing import Final

SIZE: Final = (320, 240)  # at most; twice what a page shows, for dense screens
FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF")
PIXELS: Final = 50_000_000  # a camera has half of that
FRAME_SIDE: Final = 30_000
MEMORY: Final = 768 * 1024**2  # bytes of address space; 50 Mpx in four colours are 200 MB
SECONDS: Final = 10  # of processor time
WRITTEN: Final = 1024**2  # bytes of the small picture, at most
NO_PICTURE: Final = 3  # exit code: the image cannot be read, or is larger than anybody needs


def main(source: str, target: str) -> int:
    """Write the small picture. `NO_PICTURE` where there is none to be had."""
    for what, most in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_CPU, SECONDS),
        (resource.RLIMIT_FSIZE, WRITTEN),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (most, most))
    from PIL import Image, ImageOps

    Image.MAX_IMAGE_PIXELS = PIXELS
    warnings.simplefilter("error")  # so many pixels are a warning first
    try:
        with Image.open(source, formats=FORMATS) as image:
            if image.width * image.height > PIXELS or max(image.size) > FRAME_SIDE:
                return NO_PICTURE
            image.draft("RGB", (SIZE[0] * 2, SIZE[1] * 2))  # of a JPEG a fraction is decoded
            upright = ImageOps.exif_transpose(image)
            upright.thumbnail(SIZE)
            ground = Image.new("RGB", upright.size, "white")
            seen = upright.convert("RGBA")
            ground.paste(seen, mask=seen)
            ground.save(Path(target), "JPEG", quality=80, optimize=True)
    except Exception:  # noqa: BLE001 - of a decoder anything may come; the file is to blame
        return NO_PICTURE
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
