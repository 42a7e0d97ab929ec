"""The page Messages: what others were told, and sending it again."""

from playwright.sync_api import expect

from tests.browser.conftest import Open, Site, is_ready


def test_what_became_of_a_message_is_shown_and_it_is_sent_again(
    site: Site, open_page: Open
) -> None:
    told = site.ask("GET", "/messages").json["messages"]
    newest = next(
        each["message_number"]
        for each in told
        if each["type"] == "build.published" and each["run_id"]
    )
    site.execute(
        "insert into elute.deliveries values "
        f"({newest}, 'lims.example 0a1b2c', 9, null, null, 'HTTP 503')"
    )
    page = is_ready(open_page("/history"))
    page.get_by_role("link", name="What others were told").click()
    again = page.get_by_role("button", name=f"Send again message {newest}")
    row = page.get_by_role("row").filter(has=again)
    expect(row).to_contain_text("Built and published. compounds.csv: 12 of 12 records kept.")
    expect(row).to_contain_text("lims.example 0a1b2c: HTTP 503, 9 tries, given up")
    again.click()
    expect(row).to_contain_text("lims.example 0a1b2c: waits")
    assert site.ask("GET", "/audit?limit=1").json["changes"][0]["action"] == "resend"
