"""Makes a key and prints a signing request: `python -m trove.guestagent.certificate KEY_FILE`.

A program of its own, so that `cryptography` and its memory are gone with the process.
"""

from __future__ import annotations

import os
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat


def main(key_file: str) -> None:
    """Make a key in this file, which must not exist, and print the request."""
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    handle = os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(pem)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "trove")])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    sys.stdout.write(request.public_bytes(Encoding.PEM).decode())


if __name__ == "__main__":
    main(sys.argv[1])
