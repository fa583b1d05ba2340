# SPDX-License-Identifier: GPL-3.0-or-later
"""The local CA and its certificates, proven by real handshakes on loopback."""

import ipaddress
import socket
import ssl
import stat
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from callagent.server.tls import ServerTls, TlsError, configured_tls, local_tls, machine_addresses

NOW = datetime.now(UTC)


def handshake(tls: ServerTls, ca: Path, host: str, strict: bool = True) -> str | None:
    """Connect by TLS over loopback, as strict as Python 3.13 is; the TLS version."""
    trust = ssl.create_default_context(cafile=ca)
    trust.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if strict:
        trust.verify_flags |= ssl.VERIFY_X509_STRICT
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(10)

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.settimeout(10)
                try:
                    tls.context.wrap_socket(connection, server_side=True).close()
                except (ssl.SSLError, OSError):
                    return  # the client's side of the test says why

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            with (
                socket.create_connection(listening.getsockname(), timeout=10) as plain,
                trust.wrap_socket(plain, server_hostname=host) as secure,
            ):
                return secure.version()
        finally:
            thread.join()


def certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificates(path.read_bytes())[0]


def test_first_start_makes_a_ca_that_clients_can_verify(tmp_path: Path) -> None:
    tls = local_tls(tmp_path / "tls", ["kiosk.example.org", "192.0.2.7"])
    assert tls.ca_path == tmp_path / "tls/ca.crt"
    for host in ("localhost", "127.0.0.1", "::1", "kiosk.example.org", "192.0.2.7", socket.gethostname()):
        assert handshake(tls, tls.ca_path, host) in ("TLSv1.2", "TLSv1.3")
    for address in machine_addresses():
        assert handshake(tls, tls.ca_path, str(address))
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(tls, tls.ca_path, "elsewhere.example.org")


def test_another_ca_is_not_trusted(tmp_path: Path) -> None:
    tls, other = local_tls(tmp_path / "a"), local_tls(tmp_path / "b")
    assert other.ca_path
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(tls, other.ca_path, "localhost")


def test_old_tls_is_refused(tmp_path: Path) -> None:
    assert local_tls(tmp_path).context.minimum_version == ssl.TLSVersion.TLSv1_2


def test_files_and_lifetimes(tmp_path: Path) -> None:
    local_tls(tmp_path)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {"ca.pem": 0o600, "ca.crt": 0o644, "server.pem": 0o600}
    assert b"PRIVATE" not in (tmp_path / "ca.crt").read_bytes()
    ca, server = certificate(tmp_path / "ca.crt"), certificate(tmp_path / "server.pem")
    assert server.not_valid_after_utc - server.not_valid_before_utc <= timedelta(days=397)
    assert ca.not_valid_after_utc - NOW > timedelta(days=3640)
    assert isinstance(server.public_key(), ec.EllipticCurvePublicKey)


def test_a_second_start_changes_nothing(tmp_path: Path) -> None:
    local_tls(tmp_path, ["a.example.org"])
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    local_tls(tmp_path, ["a.example.org"], now=NOW + timedelta(days=300))
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("days", [370, 1000, -3])
def test_the_server_certificate_is_renewed_in_time_and_the_ca_stays(tmp_path: Path, days: int) -> None:
    local_tls(tmp_path)
    ca, server = (tmp_path / "ca.crt").read_bytes(), certificate(tmp_path / "server.pem")
    later = NOW + timedelta(days=days)
    local_tls(tmp_path, now=later)
    renewed = certificate(tmp_path / "server.pem")
    assert (tmp_path / "ca.crt").read_bytes() == ca
    assert renewed.serial_number != server.serial_number
    assert renewed.not_valid_before_utc <= later < renewed.not_valid_after_utc - timedelta(days=30)


def test_new_names_and_addresses_give_a_new_certificate(tmp_path: Path) -> None:
    local_tls(tmp_path)
    first = certificate(tmp_path / "server.pem")
    tls = local_tls(tmp_path, ["192.0.2.99"])
    second = certificate(tmp_path / "server.pem")
    assert first.serial_number != second.serial_number
    names = second.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert ipaddress.ip_address("192.0.2.99") in names.get_values_for_type(x509.IPAddress)
    assert tls.ca_path
    assert handshake(tls, tls.ca_path, "192.0.2.99")


@pytest.mark.parametrize(
    "damage", [b"", b"garbage", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_a_damaged_server_certificate_is_made_anew(tmp_path: Path, damage: bytes) -> None:
    local_tls(tmp_path)
    (tmp_path / "server.pem").write_bytes(damage)
    (tmp_path / "ca.crt").unlink()
    tls = local_tls(tmp_path)
    assert tls.ca_path
    assert handshake(tls, tls.ca_path, "localhost")


def test_a_removed_ca_is_replaced_with_everything_below_it(tmp_path: Path) -> None:
    local_tls(tmp_path)
    old = (tmp_path / "ca.crt").read_bytes()
    (tmp_path / "ca.pem").unlink()
    tls = local_tls(tmp_path)
    assert tls.ca_path
    assert tls.ca_path.read_bytes() != old
    assert handshake(tls, tls.ca_path, "localhost")


def test_a_damaged_ca_is_not_replaced_silently(tmp_path: Path) -> None:
    local_tls(tmp_path)
    for damage, message in (
        (b"x", "holds no certificate"),
        ((tmp_path / "ca.crt").read_bytes(), "holds no private key"),
    ):
        (tmp_path / "ca.pem").write_bytes(damage)
        with pytest.raises(TlsError, match=rf"ca\.pem: {message}"):
            local_tls(tmp_path)


def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TlsError, match=r"file.*: Not a directory"):
        local_tls(tmp_path / "file/tls")


def own(folder: Path, begin: timedelta, end: timedelta, password: bytes | None = None) -> tuple[Path, Path]:
    """A self-signed certificate for localhost and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW + begin)
        .not_valid_after(NOW + end)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password is not None:
        encryption = serialization.BestAvailableEncryption(password)
    certificate_path, key_path = folder / "own.crt", folder / "own.key"
    certificate_path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    )
    return certificate_path, key_path


DAY = timedelta(days=1)


def test_the_operators_own_certificate(tmp_path: Path) -> None:
    tls = configured_tls(*own(tmp_path, -DAY, 90 * DAY))
    assert tls.ca_path is None
    assert handshake(tls, tmp_path / "own.crt", "localhost", strict=False)


@pytest.mark.parametrize(
    ("begin", "end", "password", "message"),
    [
        (-2 * DAY, -DAY, None, r"own\.crt: expired on \d{4}-\d\d-\d\d"),
        (DAY, 2 * DAY, None, r"own\.crt: is not valid before "),
        (-DAY, DAY, b"secret", r"own\.key: is protected by a password"),
    ],
)
def test_an_own_certificate_that_cannot_serve(
    tmp_path: Path, begin: timedelta, end: timedelta, password: bytes | None, message: str
) -> None:
    paths = own(tmp_path, begin, end, password)
    with pytest.raises(TlsError, match=message):
        configured_tls(*paths)


def test_own_files_that_are_not_what_they_should_be(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    cert, key = own(tmp_path, -DAY, 90 * DAY)
    _, other_key = own(tmp_path / "other", -DAY, 90 * DAY)
    with pytest.raises(TlsError, match="is not the key of the certificate"):
        configured_tls(cert, other_key)
    with pytest.raises(TlsError, match=r"own\.key: holds no certificate in PEM form"):
        configured_tls(key, key)
    with pytest.raises(TlsError, match=r"own\.crt: holds no private key in PEM form"):
        configured_tls(cert, cert)
    with pytest.raises(TlsError, match=r"none\.crt: cannot be read: No such file"):
        configured_tls(tmp_path / "none.crt", key)
