"""Makes the lake's bucket where it is not there, as compose does at its start. On AWS make it by hand.

`.venv/bin/python deploy/make_bucket.py`, with the desk's settings in the environment.
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tradeops.settings")

from django.conf import settings
from django.core.files.storage import storages


def make_bucket() -> None:
    bucket = storages["lake"].bucket
    elsewhere = {"CreateBucketConfiguration": {"LocationConstraint": settings.AWS_REGION}}
    try:
        bucket.create(**({} if settings.AWS_REGION == "us-east-1" else elsewhere))
    except bucket.meta.client.exceptions.BucketAlreadyOwnedByYou:
        print(f"{bucket.name} is there.")
    else:
        print(f"{bucket.name} is made.")


if __name__ == "__main__":
    make_bucket()
