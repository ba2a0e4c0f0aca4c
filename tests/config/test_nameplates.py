import pytest

from config.nameplates import UnknownModule, find


@pytest.mark.parametrize(
    "typed",
    [
        "Canadian Solar CS6P-240MX",
        "canadian solar cs6p 240mx",
        "Canadian CS6P240MX",
        "CANADIAN SOLAR INC. CS6P-240MX",
    ],
)
def test_one_module_however_it_is_typed(typed):
    plate = find(typed)
    assert (plate.model, plate.cells_in_series) == ("CS6P-240MX", 60)
    assert plate.p_mp == pytest.approx(240, rel=0.01)
    assert plate.alpha_sc > 0 > plate.beta_voc


def test_a_label_without_its_suffix_finds_its_family():
    """REC prints REC235PE; the list holds it with several suffixes of the same rating."""
    assert find("REC REC235PE").p_mp == pytest.approx(235, rel=0.01)


@pytest.mark.parametrize(
    "typed",
    [
        "Trina CS6P-240MX",  # another maker's model
        "Canadian Solar CS6P-24",  # power not complete
        "Canadian Solar CS6P-999MX",  # a power that was never made
        "Nobody 123",
        "",
    ],
)
def test_what_is_merely_similar_is_not_taken(typed):
    with pytest.raises(UnknownModule, match="Enter its nameplate by hand"):
        find(typed)


def test_a_sites_own_list_goes_first(tmp_path):
    own = tmp_path / "nameplates.csv"
    own.write_text(
        "name,technology,p_mp,area,cells_in_series,i_sc,v_oc,i_mp,v_mp,alpha_sc,beta_voc,"
        "gamma_pmp\nCanadian Solar CS6P-240MX,Mono-c-Si,241,1.6,60,8.6,37,8,30,0.004,-0.12,\n"
    )
    assert find("Canadian Solar CS6P-240MX", own).p_mp == 241
    assert find("Canadian Solar CS6P-240MX", own).gamma_pmp is None
    assert find("Suntech STP280-24/Vd", own).cells_in_series == 72
