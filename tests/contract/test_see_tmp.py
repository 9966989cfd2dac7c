from tests.contract.test_contract import *  # noqa
from tests.contract import test_contract as base

for _n in list(globals()):
    if _n.startswith("test_"):
        del globals()[_n]
MINE = schema_of(OPEN).include(
    path_regex=r"versions$|/diff|/schema$|timer|activation|items|cost|labels|graph|^/event$|^/action/\{name\}$|^/flowrun/\{name\}$|^/fsl$|/history"
)


@MINE.parametrize()
@THOROUGH
def test_mine(seen, case):
    meet(case, seen)
    response = case.call()
    seen.statuses[response.status_code] += 1
    case.validate_response(response, additional_checks=[base.nothing_else])
