from tests.catalog.test_admin import *
def test_a(shop, pia):
    client = as_(pia)
    shop.publish(AddOnFactory(), grants={"sales": True})
    draft = shop.draft(shop.sales_premium, grants={"quotes": True}, includes=["common"], extra_modules=["web"])
    drafting.set_rules(version=draft, needs=["common"], excludes=[], actor=SYSTEM, at=NOON)
    def q(path):
        with CaptureQueriesContext(connection) as captured:
            r = client.get(path)
            assert r.status_code == 200
        print(path, len(captured))
        for x in captured: print("   ", x["sql"][:60], '...', x["sql"][x["sql"].find(" FROM "):][:90])
        return r
    q(page("version_change", draft.pk))
    q(page("version_change", draft.pk))
    drafting.set_includes(version=draft, codes=["common", "sales-essentials"], actor=SYSTEM, at=NOON)
    q(page("version_change", draft.pk))
    q(page("addon_changelist"))
    q(page("owner_changelist"))
    assert 0
def test_b(shop, cara):
        draft = shop.draft(shop.common, grants={"email-limit": 900, "dashboards": "custom-tiles"})
        client = as_(cara)
        response = client.get(page("version_change", draft.pk))
        print(response.content.decode()[20000:])
        assert 0
