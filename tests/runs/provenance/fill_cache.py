"""Put RO-Crate's JSON-LD context into the cache of rocrate-validator, from the copy that the package rocrate has.

    .venv-provenance/bin/python tests/runs/provenance/fill_cache.py /tmp/cache
    .venv-provenance/bin/rocrate-validator validate --offline --cache-path /tmp/cache results/tiny

The validator would fetch it from the network, and `rocrate-validator cache warm` does.
"""

import json
import sys
from importlib.resources import files
from io import BytesIO

from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from requests_cache import CachedSession
from urllib3 import HTTPResponse


class PackagedContext(HTTPAdapter):
    """Answers every request with the context in the package."""

    def send(self, request: PreparedRequest, *_args, **_settings) -> Response:
        """Return the context, for the address that it gives itself; an error for any other."""
        context = (files("rocrate") / "data" / "ro-crate.jsonld").read_bytes()
        known = request.url == json.loads(context)["@id"]
        answer = HTTPResponse(
            BytesIO(context if known else b""),
            headers={"Content-Type": "application/ld+json"},
            status=200 if known else 404,
            preload_content=False,
        )
        return self.build_response(request, answer)


def main(cache: str, url: str = "https://w3id.org/ro/crate/1.1/context") -> None:
    """Fill the cache at a path, which gets the ending .sqlite."""
    with CachedSession(cache, backend="sqlite", expire_after=-1) as session:
        session.mount("https://", PackagedContext())
        session.get(url, headers={"Accept": "application/ld+json"}).raise_for_status()


if __name__ == "__main__":
    main(sys.argv[1])
