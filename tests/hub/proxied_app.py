"""An application for jupyter-server-proxy: its page polls, has a websocket with signs of life, and
tells what is typed. `python proxied_app.py PORT`."""

from __future__ import annotations

import asyncio
import sys

import tornado.web
import tornado.websocket

PAGE = """<!doctype html><title>Application</title><textarea autofocus></textarea><script>
const socket = new WebSocket(location.href.replace(/^http/, 'ws') + 'socket');
setInterval(() => fetch('data?run=' + Date.now()), 2000);
setInterval(() => socket.send(JSON.stringify({ type: 'ping' })), 3000);
document.querySelector('textarea').oninput = event =>
  socket.send(JSON.stringify({ insert: event.data, all: event.target.value }));
</script>"""


class Main(tornado.web.RequestHandler):
    def get(self) -> None:
        self.finish(PAGE)


class Data(tornado.web.RequestHandler):
    def get(self) -> None:
        self.finish({"loss": 0.1})


class Socket(tornado.websocket.WebSocketHandler):
    def check_origin(self, origin: str) -> bool:
        return True

    def on_message(self, message: str | bytes) -> None:
        self.write_message(message)


async def main() -> None:
    app = tornado.web.Application([("/", Main), ("/data", Data), ("/socket", Socket)])
    app.listen(int(sys.argv[1]), "127.0.0.1")
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
