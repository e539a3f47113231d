"""Rows of the tables <-> what they stand for."""

from dataclasses import asdict, fields
from typing import Any, TypeVar

from sqlalchemy import RowMapping

from modelyard.foundation.ids import project_of
from modelyard.inference.domain.deployments import Deployment, Hold, ModelVersion, State
from modelyard.inference.domain.hosts import Assignment, Host, Served, ServedState

Row = dict[str, Any]
Record = TypeVar("Record", Deployment, Host, Assignment, Hold)


def row_of(record: Deployment | Host | Assignment | Hold) -> Row:
    row = {field.name: getattr(record, field.name) for field in fields(record)}
    match record:
        case Deployment():
            row["project"] = project_of(record.name)
            row["target"] = asdict(record.target)
            row["fallback"] = asdict(record.fallback) if record.fallback else None
            row["labels"] = dict(record.labels)
            row["state"] = int(record.state)
        case Host():
            row["served"] = [asdict(served) for served in record.served]
        case Hold():
            row["inputs"], row["held"] = list(record.inputs), list(record.held)
    return row


def deployment_of(row: RowMapping | Row) -> Deployment:
    values = dict(row)
    del values["project"]
    values["target"] = ModelVersion(**values["target"])
    values["fallback"] = ModelVersion(**values["fallback"]) if values["fallback"] else None
    values["state"] = State(values["state"])
    return Deployment(**values)


def host_of(row: RowMapping | Row) -> Host:
    served = tuple(Served(**{**each, "state": ServedState(each["state"])}) for each in row["served"])
    return Host(**{**row, "served": served})


def assignment_of(row: RowMapping | Row) -> Assignment:
    return Assignment(**row)


def hold_of(row: RowMapping | Row) -> Hold:
    return Hold(**{**row, "inputs": tuple(row["inputs"]), "held": tuple(row["held"])})
