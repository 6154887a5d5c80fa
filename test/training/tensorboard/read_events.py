"""Prints, as JSON, what TensorBoard's own EventAccumulator finds in a log folder: {tag: {...}}."""

import json
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.summary_pb2 import DataClass
from tensorboard.util.tensor_util import make_ndarray

events = EventAccumulator(sys.argv[1], size_guidance={"tensors": 0, "scalars": 0}).Reload()


def chart(points, values):
    return {
        # As text, for JSON has no Infinity.
        "points": [(point.step, str(value).replace("inf", "Infinity")) for point, value in zip(points, values)],
        "wallTimes": [point.wall_time for point in points],
    }


def show(value):
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


charts = {}
for tag in events.Tags()["tensors"]:
    points = events.Tensors(tag)
    metadata = events.SummaryMetadata(tag)
    charts[tag] = chart(points, [show(make_ndarray(point.tensor_proto).item()) for point in points]) | {
        "plugin": metadata.plugin_data.plugin_name,
        "dataClass": DataClass.Name(metadata.data_class),
        "description": metadata.summary_description,
    }
# TensorFlow's own op for scalars still writes the older form: no tensor, no metadata.
for tag in events.Tags()["scalars"]:
    points = events.Scalars(tag)
    charts[tag] = chart(points, [point.value for point in points])
print(json.dumps(charts))
