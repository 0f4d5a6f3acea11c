"""A process that uploads one large object: `uploader.py LAKE KEY PARTS`. Its parts are the smallest that S3 takes."""

import sys

from s3fs import S3FileSystem

from mlops_assets.storage.lake import Lake

PART = 5 * (1 << 20)


def main(uri: str, key: str, parts: int) -> None:
    """Writes the object."""
    S3FileSystem._pipe_file.__defaults__ = (PART, None, "overwrite")
    Lake(uri).write(key, bytes(parts * PART))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
