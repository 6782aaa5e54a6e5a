"""Headers that every answer carries."""

from flask import Flask, Response, request

from sms.core.web.assets import KEPT

CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ]
)


def init_app(app: Flask) -> None:
    """Set the headers on everything that leaves."""
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = 3_600
    app.after_request(protect)


def protect(response: Response) -> Response:
    """No script or style but our own files, no frame around us, nothing kept by a cache but static files."""
    headers = response.headers
    headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Referrer-Policy", "same-origin")
    headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    headers.setdefault("X-Frame-Options", "DENY")
    headers.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
    if request.is_secure:
        headers.setdefault("Strict-Transport-Security", "max-age=31536000")
    if request.endpoint != "static" and headers.get("Cache-Control") != KEPT:
        headers["Cache-Control"] = "no-store"
        response.vary.add("Cookie")
    return response
