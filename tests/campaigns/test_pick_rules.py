"""A campaign's rules: read once, refused with a sentence, joined with the shop's, and counted by its plans."""

import json

import pytest

from campaigns.edit import Definition, definition_from_file, find_campaign, save_campaign
from campaigns.errors import CampaignInvalid
from campaigns.pick_rules import PickRules, as_plain, rules_in, rules_of
from campaigns.status import status_of
from engine.recommend.rules import Rules
from subscribers.database import reading, writing


def save(shop, **rules):
    with writing(shop.world.database) as session:
        save_campaign(session, Definition("weekly", rules=PickRules(**rules)), shop.world.settings, now=shop.now)


def picked(shop, run):
    """{sku_id: its product} of everything in the run's mails."""
    names = ("sku_id", "price_minor", "brand", "labels", "product_type", "availability")
    products = {
        row[0]: dict(zip(names, row, strict=True)) for row in shop.query(f"SELECT {', '.join(names)} FROM product")
    }
    rows = shop.query("SELECT picks FROM message WHERE run_id = :run AND sha256 != ''", run=run)
    return {pick[0]: products[pick[0]] for row in rows for pick in json.loads(str(row[0]))}


def make_new(shop):
    """Three products nobody has met yet."""
    shop.execute("DELETE FROM signal WHERE sku_id IN (SELECT sku_id FROM product ORDER BY sku_id LIMIT 3)")


def counts(shop, run):
    with reading(shop.world.database) as session:
        return status_of(session, run).rules


class TestReading:
    def test_what_a_marketer_writes_becomes_rules_with_the_shops_own(self, shop):
        settings = shop.world.settings.model_copy(
            update={"sensitive_types": ["Intimate"], "replenish_days": {"Creams": 60}, "view_delay_minutes": 30}
        )
        said = PickRules("5", "19.90", ("label:vegan",), ("brand:Maren",), ("type:Creams=0.5",), diversity=0.3)
        rules = rules_of(said, settings)
        assert (rules.lowest_price, rules.highest_price) == (500, 1990)
        assert [wish.value for wish in rules.include] == ["vegan"]
        assert (rules.boost[0].filter.value, rules.boost[0].weight) == ("Creams", 0.5)
        assert (rules.diversity, rules.hero_share) == (0.3, Rules().hero_share)
        assert (rules.sensitive, dict(rules.replenish), rules.view_delay) == (("Intimate",), {"Creams": 60}, 1_800)

    def test_a_campaign_keeps_what_was_said_and_nothing_else(self, shop):
        save(shop, price_to="20", boost=("label:vegan=1",))
        with reading(shop.world.database) as session:
            kept = find_campaign(session, "weekly").rules
        assert json.loads(kept) == {"price_to": "20", "boost": ["label:vegan=1"]}
        assert rules_in(kept, shop.world.settings).highest_price == 2000

    @pytest.mark.parametrize(
        ("rules", "words"),
        [
            ({"price_from": "cheap"}, "'cheap' is no price such as 19.90"),
            ({"price_from": "-1"}, "no price"),
            ({"price_from": "NaN"}, "no price"),
            ({"price_from": "30", "price_to": "20"}, "the lowest price (30.00) is above the highest (20.00)"),
            ({"include": ["vegan"]}, "'vegan' is no filter"),
            ({"exclude": ["colour:red"]}, "is no filter"),
            ({"boost": ["label:vegan"]}, "is no boost"),
            ({"boost": ["label:vegan=much"]}, "is no boost"),
            ({"boost": ["label:vegan=nan"]}, "is no boost"),
            ({"diversity": 2}, "rule diversity must be 0 to 1, not 2"),
            ({"hero_share": 0}, "rule hero_share must be"),
            ({"exploration": float("nan")}, "rule exploration must be"),
            ({"include": "label:vegan"}, "must be a list of texts"),
            ({"diversity": "much"}, "must be a number"),
            ({"hero_share": True}, "must be a number"),
            ({"price_to": [1]}, "must be a price such as 19.90"),
            ({"discount": 1}, "unknown field 'discount'"),
        ],
    )
    def test_what_cannot_be_read_is_refused_and_named(self, shop, rules, words):
        with pytest.raises(CampaignInvalid) as refused:
            rules_of(PickRules.from_plain(rules), shop.world.settings)
        assert words in str(refused.value)

    def test_a_campaign_with_bad_rules_changes_nothing(self, shop):
        save(shop, price_to="20")
        with pytest.raises(CampaignInvalid):
            save(shop, price_to="nothing")
        with reading(shop.world.database) as session:
            assert json.loads(find_campaign(session, "weekly").rules) == {"price_to": "20"}

    def test_rules_stand_in_a_file_too(self, tmp_path):
        path = tmp_path / "weekly.toml"
        path.write_text('name = "weekly"\n[rules]\nprice_to = 19.9\nexclude = ["brand:Maren"]\nhero_share = 0.1\n')
        definition, _ = definition_from_file(path)
        assert definition.rules == PickRules(price_to="19.9", exclude=("brand:Maren",), hero_share=0.1)
        path.write_text('name = "weekly"\nrules = "none"\n')
        with pytest.raises(CampaignInvalid, match=r"must be a table \[rules\]"):
            definition_from_file(path)


class TestPlanning:
    def test_a_plan_obeys_the_campaigns_rules_and_counts_them(self, shop):
        prices = sorted(row[0] for row in shop.query("SELECT price_minor FROM product"))
        middle = prices[len(prices) // 2]
        save(shop, price_to=f"{middle / 100:.2f}")
        run = shop.plan()
        assert max(product["price_minor"] for product in picked(shop, run).values()) <= middle
        dear = shop.query(
            "SELECT count(*) FROM product WHERE price_minor > :m AND availability != 'out_of_stock'", m=middle
        )
        assert counts(shop, run)["price rule"] == {"products": dear[0][0]}

    def test_include_and_exclude_by_filter(self, shop):
        kinds = shop.query("SELECT product_type FROM product GROUP BY 1 ORDER BY count(*) DESC")
        kind = str(kinds[0][0]).split(">")[-1].strip()
        save(shop, include=(f"type:{kind}",))
        assert {product["product_type"].split(">")[-1].strip() for product in picked(shop, shop.plan()).values()} == {
            kind
        }
        save(shop, exclude=(f"type:{kind}",))
        run = shop.plan()
        assert all(kind not in product["product_type"] for product in picked(shop, run).values())
        assert counts(shop, run)["excluded"]["products"] > 0

    def test_the_run_keeps_the_rules_it_was_made_by(self, shop):
        make_new(shop)
        save(shop, boost=("label:vegan=0.5",), exploration=0.5)
        run = shop.plan()
        kept = json.loads(str(shop.query("SELECT rules FROM run WHERE id = :run", run=run)[0][0]))
        said = PickRules(boost=("label:vegan=0.5",), exploration=0.5)
        assert kept == as_plain(rules_of(said, shop.world.settings))
        assert counts(shop, run)["exploration"]["people"] > 0

    def test_what_was_drawn_by_chance_says_with_which_chance(self, shop):
        make_new(shop)
        save(shop, exploration=0.5)
        run = shop.plan()
        rows = shop.query("SELECT picks FROM message WHERE run_id = :run AND sha256 != ''", run=run)
        picks = [pick for row in rows for pick in json.loads(str(row[0]))]
        assert {pick[2] for pick in picks if pick[4] < 1} == {"new"}
        assert all(0 < pick[4] <= 0.5 for pick in picks if pick[2] == "new")
        assert all(pick[4] == 1 for pick in picks if pick[2] != "new")

    def test_a_row_says_what_lies_behind_its_picks(self, shop):
        run = shop.plan()
        rows = shop.query("SELECT picks, why FROM message WHERE run_id = :run AND sha256 != ''", run=run)
        known = {row[0] for row in shop.query("SELECT sku_id FROM product")}
        accounts = [(json.loads(str(picks)), json.loads(str(why))) for picks, why in rows]
        assert sum("evidence" in why for _, why in accounts) > len(accounts) / 2
        for picks, why in accounts:
            listed = {pick[0] for pick in picks}
            for proofs in why.get("evidence", []):
                assert all(sku in known and kind in ("bought", "looked at") and drop > 0 for sku, kind, drop in proofs)
                assert proofs == sorted(proofs, key=lambda proof: -proof[2])
            assert why["runner_up"][0] not in listed
            assert not {sku for sku, _ in why.get("filtered", [])} & listed
        assert any(rule == "already bought" for _, why in accounts for _, rule in why.get("filtered", []))
