"""An HTTP/1.1 server for ASGI applications, bounded before an application sees anything of a request."""
