"""TLS: on for every instance, with certificates of the installation's own authority."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from starlette.responses import Response

from trove.api.call import Call, may, shown
from trove.api.schemas.answers import AuthorityAnswer, TlsAnswer
from trove.datastores import datastore_of
from trove.datastores.parts import Part
from trove.services import instances
from trove.services.authority import host_name_of, load_authority

router = APIRouter(tags=["tls"])


@router.get("/instances/{instance_id}/ssl", response_model=TlsAnswer)
def show(
    call: Annotated[Call, may("instance:show")],
    instance_id: str,
    include_certificate: bool = False,
) -> Response:
    """Whether the instance speaks TLS; with `include_certificate`, whom to trust for that."""
    view = instances.show(call.inst, call.caller, instance_id)
    # The words of the wire for an engine that speaks none.
    if not datastore_of(view.manager).has(Part.TLS):
        return shown({"ssl": {"status": "off", "mode": "builtin"}})
    name = host_name_of(view.id)
    certificate: dict[str, Any] = {
        "cn": name,
        "san": [name, *([view.address] if view.address else [])],
    }
    if include_certificate:
        certificate["authority"] = load_authority(call.inst.settings.authority).pem
    return shown({"ssl": {"status": "on", "mode": "builtin", "certificate": certificate}})


@router.get("/certificate-authority", response_model=AuthorityAnswer)
def authority(call: Annotated[Call, may("certificate_authority:show")]) -> Response:
    """The certificate (PEM) that clients check every instance's certificate against."""
    pem = load_authority(call.inst.settings.authority).pem
    return shown({"certificate_authority": {"certificate": pem}})
