"""Jobs from creation to their end, and what is left of them afterwards."""

from dalston.resources import Stage
from tests.operator.rig import Rig
from tests.resources.examples import EVERYTHING


async def test_job_runs_through_all_its_stages(rig: Rig) -> None:
    await rig.start_operator()
    workers = rig.work_everything()
    await rig.create_job("recording", **EVERYTHING)
    job = await rig.ends("recording")
    assert job.status.transcript is not None
    assert job.status.transcript.words == 22
    done = {stage: len(worker.done) for stage, worker in workers.items()}
    assert done == {stage: int(stage != Stage.ALIGN) for stage in Stage}
