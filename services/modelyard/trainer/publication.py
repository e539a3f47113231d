"""What a job has made, copied out of its reach, checked and stored."""

from collections.abc import Sequence
from pathlib import PurePosixPath

from modelyard.job.messages import Evaluated, Exported, Predicted, Profiled
from modelyard.templates.specs import Kind
from modelyard.trainer.collected import Collector
from modelyard.trainer.domain import AttemptFailed, FailureClass, Succeeded
from modelyard.trainer.reporter import Reporter
from modelyard.trainer.work import Distribution, Evaluation, Outputs

Made = Exported | Evaluated | Profiled | Predicted
MAKES: dict[Kind, type[Made]] = {
    Kind.TRAINING: Exported,
    Kind.IMPORT: Exported,
    Kind.EVALUATION: Evaluated,
    Kind.PROFILE: Profiled,
    Kind.PREDICTION: Predicted,
}
"""By what a job of each kind says that it is done."""


async def publish(
    made: Made, collector: Collector, outputs: Outputs, installed: Sequence[Distribution], reporter: Reporter
) -> Succeeded:
    """Raises AttemptFailed or AttemptStopped."""
    match made:
        case Exported():
            model = await collector.take(made.path, "model", FailureClass.EXPORT_INVALID)
            return Succeeded(await outputs.register(model, made.metrics, installed, reporter))
        case Evaluated():
            report = await collector.take("outputs/report", "report")
            evaluation = Evaluation(made.metrics, made.split, made.examples)
            return Succeeded(evaluation=await outputs.record(report, evaluation, reporter))
        case Profiled():
            path = PurePosixPath(made.path)
            profile = await collector.take(str(path.parent), "profile")
            await outputs.record_statistics(profile, path.name, reporter)
            return Succeeded()
        case Predicted():
            if not made.examples:
                raise AttemptFailed(FailureClass.INVALID_DATA, "the model was asked about no example at all")
            answers = await collector.take(made.path, "prediction")
            return Succeeded(output_dataset_version=await outputs.register_dataset(answers, reporter))
