"""Prints, as JSON, what TensorBoard's own EventAccumulator finds in a log folder: {tag: {...}}."""

import json
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.summary_pb2 import DataClass
from tensorboard.util.tensor_util import make_ndarray

events = EventAccumulator(sys.argv[1], size_guidance={"tensors": 0}).Reload()
found = {}
for tag in events.Tags()["tensors"]:
    metadata = events.SummaryMetadata(tag)
    points = events.Tensors(tag)
    found[tag] = {
        "plugin": metadata.plugin_data.plugin_name,
        "dataClass": DataClass.Name(metadata.data_class),
        "description": metadata.summary_description,
        # As text: JSON has no Infinity.
        "points": [(point.step, str(make_ndarray(point.tensor_proto).item()).replace("inf", "Infinity")) for point in points],
        "wallTimes": [point.wall_time for point in points],
    }
print(json.dumps(found))
