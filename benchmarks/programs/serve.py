"""The prediction API as `mlops-assets serve` runs it, with two more routes that read a JSON body and answer a constant.

    python -m benchmarks.programs.serve PORT ANSWER

`POST /constant` answers the JSON of the file ANSWER as FastAPI's routes do; `POST /bare` its bytes, without parsing anything, by the leaner
kind of route that predictions have.
"""

import sys
from pathlib import Path

import orjson
import uvicorn
from starlette.requests import Request
from starlette.responses import Response

from mlops_assets.serving import create_app
from mlops_assets.serving.body import read_json_body
from mlops_assets.serving.errors import JSON
from mlops_assets.serving.logs import log_config
from mlops_assets.serving.predict import PredictionRoute
from mlops_assets.settings import Settings


def main() -> None:
    """Serves until it is told to stop."""
    port, answer = int(sys.argv[1]), Path(sys.argv[2]).read_bytes()
    settings = Settings()
    app = create_app(settings)

    document = orjson.loads(answer)

    async def bare(request: Request) -> Response:
        await read_json_body(request, settings.mlops_api_max_body_bytes)
        return Response(answer, media_type=JSON)

    async def constant(request: Request) -> Response:
        orjson.loads(await request.body())
        return Response(orjson.dumps(document), media_type=JSON)

    app.router.routes.insert(0, PredictionRoute("/bare", bare, methods=["POST"]))
    app.post("/constant")(constant)
    uvicorn.run(app, port=port, access_log=False, log_config=log_config(), server_header=False, ws="none")


if __name__ == "__main__":
    main()
