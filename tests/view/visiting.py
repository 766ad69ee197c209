"""Where the server of these tests is."""

PORT = 8123
BASE = f"http://127.0.0.1:{PORT}"
