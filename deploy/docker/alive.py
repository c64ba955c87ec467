"""The image's health check: exit code 0 while the process in the container answers /healthz; it imports no Tocsin."""

import sys
from http.client import HTTPConnection, HTTPException


def main(port: int = 8080) -> int:
    """Ask the process on ``port`` of the loopback interface; 1 where it is silent for 4 s or says no."""
    connection = HTTPConnection("127.0.0.1", port, timeout=4)
    try:
        connection.request("GET", "/healthz")
        return 0 if connection.getresponse().status == 200 else 1
    except (OSError, HTTPException):
        return 1
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
