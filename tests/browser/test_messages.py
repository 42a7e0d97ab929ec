"""The page Messages: what others were told, and sending it again."""

from playwright.sync_api import expect

from tests.browser.conftest import Open, Site, is_ready


def test_what_became_of_a_message_is_shown_and_it_is_sent_again(
    site: Site, open_page: Open
) -> None:
    newest = site.ask("GET", "/messages?limit=1").json["messages"][0]["message_number"]
    site.execute(
        "insert into elute.deliveries values "
        f"({newest}, 'lims.example 0a1b2c', 9, null, null, 'HTTP 503')"
    )
    page = is_ready(open_page("/history"))
    page.get_by_role("link", name="What others were told").click()
    row = page.get_by_role("row").nth(1)
    expect(row).to_contain_text("Built and published. compounds.csv: 12 of 12 records kept.")
    expect(row).to_contain_text("lims.example 0a1b2c: HTTP 503, 9 tries, given up")
    page.get_by_role("button", name=f"Send again message {newest}").click()
    expect(row).to_contain_text("lims.example 0a1b2c: waits")
    assert site.ask("GET", "/audit?limit=1").json["changes"][0]["action"] == "resend"
