# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates: a local CA made at first start and what it signs, or the operator's own.

Browsers give cameras and microphones to secure origins only, so the service
speaks TLS from its first start on. Everything here blocks on files: call it on
a worker thread.
"""

import ipaddress
import logging
import os
import re
import secrets
import socket
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import ifaddr
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CA_LIFETIME = timedelta(days=3650)
SERVER_LIFETIME = timedelta(days=397)
"""The most browsers accept (CA/Browser Forum baseline requirements, 6.3.2)."""
RENEW_BEFORE = timedelta(days=30)
_BACKDATED = timedelta(hours=24)
"""A kiosk's clock may be behind when it first connects."""
_HOST_NAME = re.compile(r"^(\*\.)?([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.?)+$")

logger = logging.getLogger(__name__)


class TlsError(Exception):
    """A certificate or key cannot be used; the message names the file and what to do."""


@dataclass(frozen=True, slots=True)
class ServerTls:
    """What the HTTPS listener needs."""

    context: ssl.SSLContext
    ca_path: Path | None
    """PEM of the local CA for clients to trust; None with the operator's own certificate."""


@dataclass(frozen=True, slots=True)
class _Authority:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def local_tls(directory: Path, names: Iterable[str] = (), now: datetime | None = None) -> ServerTls:
    """The local CA of `directory` and a server certificate of it, each made or renewed when needed.

    `names` are further host names or addresses for the certificate. Raises TlsError.
    """
    moment = now or datetime.now(UTC)
    wanted = subject_names(names)
    server_path, ca_path = directory / "server.pem", directory / "ca.crt"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        authority = _authority(directory / "ca.pem", moment)
        ca_pem = authority.certificate.public_bytes(serialization.Encoding.PEM)
        if not ca_path.exists() or ca_path.read_bytes() != ca_pem:
            _write(ca_path, ca_pem, 0o644)
        if not _usable(server_path, authority, wanted, moment):
            _write(server_path, _issue(authority, wanted, moment), 0o600)
            logger.info(
                "server certificate issued for %s", ", ".join(sorted(str(name.value) for name in wanted))
            )
        return ServerTls(_context(server_path, None), ca_path)
    except OSError as error:
        raise TlsError(f"{error.filename or directory}: {error.strerror or error}") from error


def configured_tls(certificate: Path, key: Path, now: datetime | None = None) -> ServerTls:
    """The operator's own certificate, checked. Raises TlsError."""
    moment = now or datetime.now(UTC)
    leaf = _read_certificate(certificate)
    private = _read_key(key)
    if not _same_key(leaf, private):
        raise TlsError(f"{key}: is not the key of the certificate {certificate}")
    if moment >= leaf.not_valid_after_utc:
        raise TlsError(f"{certificate}: expired on {leaf.not_valid_after_utc:%Y-%m-%d}")
    if moment < leaf.not_valid_before_utc:
        raise TlsError(f"{certificate}: is not valid before {leaf.not_valid_before_utc:%Y-%m-%d %H:%M} UTC")
    if moment > leaf.not_valid_after_utc - RENEW_BEFORE:
        logger.warning("%s expires on %s", certificate, f"{leaf.not_valid_after_utc:%Y-%m-%d}")
    try:
        return ServerTls(_context(certificate, key), None)
    except (OSError, ssl.SSLError) as error:
        raise TlsError(f"{certificate}: cannot be used: {error}") from error


def machine_addresses() -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """Every address of every interface now, loopback included."""
    found = {
        ipaddress.ip_address(entry.ip if isinstance(entry.ip, str) else entry.ip[0].partition("%")[0])
        for adapter in ifaddr.get_adapters()
        for entry in adapter.ips
    }
    return sorted(found, key=lambda address: (address.version, int(address)))


def subject_names(names: Iterable[str] = ()) -> frozenset[x509.GeneralName]:
    """Localhost, the machine's names and addresses, and `names`."""
    host = socket.gethostname()
    short = host.partition(".")[0]
    texts = {"localhost", "127.0.0.1", "::1", host, short, f"{short}.local", *names}
    return frozenset(
        found for found in map(_general_name, [*texts, *map(str, machine_addresses())]) if found is not None
    )


def _general_name(text: str) -> x509.GeneralName | None:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text.lower()) if _HOST_NAME.match(text) and len(text) <= 253 else None


def _authority(path: Path, now: datetime) -> _Authority:
    """The CA in `path`, made when there is none or it ends before the next server certificate would."""
    if path.exists():
        certificate, key = _read_certificate(path), _read_key(path)
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
            raise TlsError(
                f"{path}: key and certificate do not fit; restore the file, or remove it for a new CA"
            )
        if now < certificate.not_valid_after_utc - RENEW_BEFORE:
            return _Authority(certificate, key)
        logger.warning("the local CA has ended; clients must be given the new one")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "callagent"),
            x509.NameAttribute(NameOID.COMMON_NAME, f"callagent local CA {secrets.token_hex(4)}"),
        ]
    )
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + CA_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    _write(path, _private_pem(key) + certificate.public_bytes(serialization.Encoding.PEM), 0o600)
    logger.info("local CA made in %s", path.parent)
    return _Authority(certificate, key)


def _issue(authority: _Authority, names: frozenset[x509.GeneralName], now: datetime) -> bytes:
    """Key, certificate and CA certificate as one PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
    issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    not_before = now - _BACKDATED
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "callagent call service")]))
        .issuer_name(authority.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(min(not_before + SERVER_LIFETIME, authority.certificate.not_valid_after_utc))
        .add_extension(x509.SubjectAlternativeName(sorted(names, key=str)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(issuer_key, critical=False)
        .sign(authority.key, hashes.SHA256())
    )
    chain = (certificate, authority.certificate)
    return _private_pem(key) + b"".join(one.public_bytes(serialization.Encoding.PEM) for one in chain)


def _usable(path: Path, authority: _Authority, names: frozenset[x509.GeneralName], now: datetime) -> bool:
    """Whether the server certificate in `path` still serves; a damaged one does not."""
    try:
        certificate, key = _read_certificate(path), _read_key(path)
        certificate.verify_directly_issued_by(authority.certificate)
        present = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (TlsError, TypeError, ValueError, InvalidSignature, x509.ExtensionNotFound) as error:
        logger.debug("%s is made anew: %s", path, error)
        return False
    return (
        _same_key(certificate, key)
        and frozenset(present) == names
        and certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc - RENEW_BEFORE
    )


def _context(certificate: Path, key: Path | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # An encrypted key must fail here, not ask for its password on the terminal.
    context.load_cert_chain(certificate, key, password=lambda: b"")
    context.set_alpn_protocols(["http/1.1"])
    return context


def _read_certificate(path: Path) -> x509.Certificate:
    """The first certificate of a PEM file."""
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())[0]
    except OSError as error:
        raise TlsError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise TlsError(f"{path}: holds no certificate in PEM form") from error


def _read_key(path: Path) -> PrivateKeyTypes:
    try:
        return serialization.load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise TlsError(f"{path}: cannot be read: {error.strerror}") from error
    except TypeError as error:
        raise TlsError(f"{path}: is protected by a password; store the key without one, mode 0600") from error
    except ValueError as error:
        raise TlsError(f"{path}: holds no private key in PEM form") from error


def _same_key(certificate: x509.Certificate, private: PrivateKeyTypes) -> bool:
    return _public_bytes(certificate) == _public_bytes(private)


def _public_bytes(holder: x509.Certificate | PrivateKeyTypes) -> bytes:
    return holder.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, content: bytes, mode: int) -> None:
    """Replace `path` at once: after a power cut there is the old file or the new one, never half of one."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
