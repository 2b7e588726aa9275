"""Makes a key and prints a signing request: `python -m trove.guestagent.certificate KEY_FILE`.

A program of its own, so that `cryptography` and its memory are gone with the process.
"""

from __future__ import annotations

import sys
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from trove.files import create_private


def main(key_file: str) -> None:
    """Make a key in this file, which must not exist, and print the request."""
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    if not create_private(Path(key_file), pem):
        raise FileExistsError(key_file)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "trove")])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    sys.stdout.write(request.public_bytes(Encoding.PEM).decode())


if __name__ == "__main__":
    main(sys.argv[1])
