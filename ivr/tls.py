"""A local certificate authority and the server's certificate, for console, WebSocket and SIP.

Off the loopback a browser gives no microphone without a trusted certificate. Operators with a
certificate of their own name it in the settings; everyone else trusts `ca.crt` once.
"""

from __future__ import annotations

import ipaddress
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from crm.settings import Settings

CA_LIFE = timedelta(days=3650)
SERVER_LIFE = timedelta(days=397)  # browsers refuse longer ones
RENEW_BEFORE = timedelta(days=30)


def needed(settings: Settings) -> bool:
    """Whether browsers on other machines are served."""
    return not (settings.console_bind.is_loopback and settings.ws_bind.is_loopback)


def spoken(settings: Settings) -> bool:
    """Whether anybody is to see a certificate of ours: browsers, a carrier, desk phones."""
    carriers = any(one.protocol == "tls" for one in settings.carriers)
    return needed(settings) or carriers or settings.phones_by_tls


def console_address(settings: Settings) -> str:
    """Where people reach the console: the operator's public address, or the machine's own."""
    if settings.public_url:
        return settings.public_url
    host = settings.console_bind.host
    if host == "0.0.0.0":  # noqa: S104
        host = socket.gethostname()
    scheme = "https" if needed(settings) else "http"
    return f"{scheme}://{host}:{settings.console_bind.port}"


def files(settings: Settings) -> tuple[Path, Path]:
    """Certificate and key in use: the operator's, or those of the local authority."""
    if settings.tls_certificate and settings.tls_key:
        return settings.tls_certificate, settings.tls_key
    return settings.home / "tls" / "hotline.crt", settings.home / "tls" / "hotline.key"


def ensure(settings: Settings, names: list[str], now: datetime) -> None:
    """Make the local authority and the server's certificate, or renew what is near its end."""
    if settings.tls_certificate or not spoken(settings):
        return
    folder = settings.home / "tls"
    ca_file, ca_key_file = folder / "ca.crt", folder / "ca.key"
    if not ca_key_file.exists():
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name("Hotline 1022 local authority")
        authority = _builder(name, name, key.public_key(), now, CA_LIFE).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        ).add_extension(_ca_usage(), critical=True)
        _write(ca_key_file, _pem(key), 0o600)
        _write(ca_file, authority.sign(key, hashes.SHA256()).public_bytes(_PEM), 0o644)
    certificate, key_file = files(settings)
    wanted = set(names) | {"localhost", "127.0.0.1"}
    if certificate.exists() and not _stale(certificate, wanted, now):
        return
    ca = x509.load_pem_x509_certificate(ca_file.read_bytes())
    ca_key = serialization.load_pem_private_key(ca_key_file.read_bytes(), None)
    if not isinstance(ca_key, ec.EllipticCurvePrivateKey):
        raise ValueError(f"{ca_key_file} is not the key this program made")
    key = ec.generate_private_key(ec.SECP256R1())
    server = _builder(
        _name("Hotline 1022"), ca.subject, key.public_key(), now, SERVER_LIFE
    ).add_extension(
        x509.SubjectAlternativeName([_alternative(name) for name in sorted(wanted)]), critical=False
    ).add_extension(
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
    ).add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    _write(key_file, _pem(key), 0o600)
    _write(certificate, server.sign(ca_key, hashes.SHA256()).public_bytes(_PEM), 0o644)


def expires_at(certificate: Path) -> datetime:
    """When a certificate ends (UTC)."""
    return x509.load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc


_PEM = serialization.Encoding.PEM


def _stale(file: Path, wanted: set[str], now: datetime) -> bool:
    certificate = x509.load_pem_x509_certificate(file.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    held = {str(name.value) for name in names}
    return certificate.not_valid_after_utc - now < RENEW_BEFORE or not wanted <= held


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime,
    life: timedelta,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1)).not_valid_after(now.astimezone(UTC) + life)
    )


def _ca_usage() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=False, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, key_cert_sign=True, crl_sign=True,
        encipher_only=False, decipher_only=False,
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        _PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(file: Path, data: bytes, mode: int) -> None:
    draft = file.with_suffix(".new")
    draft.touch(mode=mode)
    draft.write_bytes(data)
    draft.replace(file)
