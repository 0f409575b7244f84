"""nginx does not start without its certificate, and who issues one wants an answer from nginx."""

import datetime
import socket
import ssl
import threading

import parts as real

NGINX = """
events {}
http {
  server {
    listen 443 ssl;
    server_name shop.example.org www.shop.example.org;
    ssl_certificate /etc/nginx/certs/fullchain.pem;
    ssl_certificate_key /etc/nginx/certs/privkey.pem;
  }
}
"""


def shop(host, **settings):
    host.push("web", health=False)
    service = {"image": host.image("web"),
               "volumes": ["./nginx.conf:/etc/nginx/nginx.conf:ro", "./certs:/etc/nginx/certs:ro"]}
    return host.stack("shop", {"web": service}, {"nginx.conf": NGINX},
                      gate={"timeout": "20s", "stable": "300ms"}, **settings)


def served(certificate, key, name):
    """The certificate that a client gets who trusts it and asks for this name."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)
    client = ssl.create_default_context(cafile=certificate)
    ours, theirs = socket.socketpair()
    thread = threading.Thread(target=lambda: server.wrap_socket(theirs, server_side=True).close())
    thread.start()
    with client.wrap_socket(ours, server_hostname=name) as connection:
        found = connection.getpeercert()
    thread.join()
    return found


def test_a_first_start_has_a_certificate_until_one_is_issued(host):
    stack = shop(host, certs={"self_signed_until_issued": True})
    host.start()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    certs = stack.directory / "certs"
    certificate, key = certs / "fullchain.pem", certs / "privkey.pem"
    found = served(certificate, key, "www.shop.example.org")
    assert ("DNS", "shop.example.org") in found["subjectAltName"]
    assert stack.execute("web", "cat", "/etc/nginx/certs/fullchain.pem") == certificate.read_text().strip()
    assert any("self-signed" in notice for notice in stack.release(1)["notices"])
    shown = host.wait(lambda: stack.status()["certificates"], "it is shown")
    assert [(one["path"], one["self_signed"], one["problem"]) for one in shown] == [
        (str(certificate), True, "")]
    left = datetime.datetime.fromisoformat(shown[0]["expires_at"].replace("Z", "+00:00")) \
        - datetime.datetime.now(datetime.timezone.utc)
    assert datetime.timedelta(days=25) < left <= datetime.timedelta(days=30)
    text = host.trimtab("status", "shop").stdout
    assert "fullchain.pem expires in" in text and "self-signed" in text
    # The real one comes, and stays, whatever is deployed.
    real.subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "90",
         "-subj", "/CN=issued", "-addext", "subjectAltName=DNS:shop.example.org",
         "-keyout", key, "-out", certificate], check=True, capture_output=True)
    issued = certificate.read_bytes(), key.read_bytes()
    stack.wait_commit(stack.push(files={"nginx.conf": NGINX + "# changed\n"}))
    assert (certificate.read_bytes(), key.read_bytes()) == issued


def test_without_leave_a_missing_certificate_is_told_before_anything_starts(host):
    stack = shop(host)
    host.start()

    def rejected():
        assert stack.releases() and stack.releases()[0]["outcome"] == "rejected"
        return stack.release(1)
    release = host.wait(rejected, "it is told")
    findings = {finding["name"]: finding for finding in release["findings"]}
    assert "certs/fullchain.pem of service web is missing" in findings["certificate"]["message"]
    assert "self_signed_until_issued" in findings["certificate"]["hint"]
    assert not (stack.directory / "certs").exists() and stack.containers() == {}
