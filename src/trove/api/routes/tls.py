"""TLS: on for every instance, with certificates of the installation's own authority."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from msgspec import UNSET

from trove.api.answers import Route, Shown
from trove.api.call import Call, may
from trove.api.resources.moments import moment
from trove.api.resources.service import (
    AuthorityAnswer,
    AuthorityShown,
    CertificateShown,
    TlsAnswer,
    TlsShown,
)
from trove.datastores import datastore_of
from trove.datastores.parts import Part
from trove.services import instances
from trove.services.authority import certificate_of, expiry_of, host_name_of, load_authority

router = APIRouter(tags=["tls"], route_class=Route)


@router.get("/instances/{instance_id}/ssl")
def show(
    call: Annotated[Call, may("instance:show")],
    instance_id: str,
    include_certificate: bool = False,
) -> Shown[TlsAnswer]:
    """Whether the instance has TLS; with `include_certificate`, its certificate and the authority
    to trust."""
    view = instances.show(call.inst, call.caller, instance_id)
    # The words of the wire for an engine without TLS.
    if not datastore_of(view.manager).has(Part.TLS):
        return Shown(TlsAnswer(TlsShown("off", "builtin")))
    name, address = host_name_of(view.row.id), view.row.address
    presented = certificate_of(call.inst, view.row.id)
    expiry = moment(expiry_of(presented)) if presented else None
    certificate = CertificateShown(name, [name, address] if address else [name], expiry)
    if include_certificate:
        certificate.payload = presented or UNSET
        certificate.authority = load_authority(call.inst.settings.authority).pem
    return Shown(TlsAnswer(TlsShown("on", "builtin", certificate)))


@router.get("/certificate-authority")
def authority(call: Annotated[Call, may("certificate_authority:show")]) -> Shown[AuthorityAnswer]:
    """The certificate (PEM) that clients verify every instance's certificate with."""
    pem = load_authority(call.inst.settings.authority).pem
    return Shown(AuthorityAnswer(AuthorityShown(pem)))
