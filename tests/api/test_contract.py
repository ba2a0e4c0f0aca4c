"""The published interface: complete, with examples, and kept under odd requests."""

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api.app import create_app
from api.records import Records


def build(folder, station, report):
    records = Records(f"sqlite:///{folder / 'records.sqlite'}")
    records.record(report(), ())
    app = create_app(
        records=records, station=station, evidence_dir=folder / "evidence", build_id="b", demo=True
    )
    return records, app


@pytest.fixture
def published(tmp_path, station, report):
    records, app = build(tmp_path, station, report)
    yield app.openapi()
    records.close()


def operations(document):
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield f"{method} {path}", operation


def test_the_document_is_openapi_3_1_and_says_what_each_operation_does(published):
    assert published["openapi"].startswith("3.1")
    undocumented = [name for name, op in operations(published) if not op.get("description")]
    assert undocumented == []


def test_every_body_has_an_example(published):
    schemas = published["components"]["schemas"]
    bare = []
    for name, operation in operations(published):
        for content in operation.get("requestBody", {}).get("content", {}).values():
            schema = schemas[content["schema"]["$ref"].rpartition("/")[2]]
            needed = [schema["properties"][field] for field in schema.get("required", ())]
            if not all(field.get("examples") for field in needed):
                bare.append(name)
    assert bare == []


def test_errors_are_published_as_problem_documents(published):
    for name, operation in operations(published):
        for status, answer in operation["responses"].items():
            if status.startswith("4"):
                assert "application/problem+json" in answer["content"], (name, status)


CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
)


def test_no_request_finds_a_defect(tmp_path, station, report):
    records, app = build(tmp_path, station, report)
    schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    endless = schema.exclude(path="/api/events")
    found = [result.ok() for result in endless.get_all_operations()]
    for operation in found:
        probe(operation, GenerationMode.POSITIVE)
        if operation.body or any(operation.iter_parameters()):
            probe(operation, GenerationMode.NEGATIVE)
    records.close()
    assert len(found) == len(list(operations(app.openapi()))) - 1


def probe(operation, mode):
    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=12,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def no_defect(case):
        case.validate_response(case.call(), checks=CHECKS)

    no_defect()
