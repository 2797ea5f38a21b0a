// The page of `precis label export` in a real browser: ways through the pairs, what cannot be
// judged, downloads, phones.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <fstream>

#include "pages/label_page_fixture.hpp"

namespace precis::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST_F(LabelPage, NextGoesToTheNextOpenPairAndBackToWhereOneCameFrom) {
  open(
      {pair_row(0, "a", "b"), pair_row(1, "a", "b"), pair_row(2, "a", "b"), pair_row(3, "a", "b")});
  begin_as("ida");
  EXPECT_EQ(text("#scale-buttons button:nth-child(2) span"), "clearly A");
  EXPECT_EQ(text("#scale-buttons button:nth-child(6) span"), "slightly B");
  browser().press("ArrowRight");
  browser().press("ArrowRight");
  browser().press("3");
  browser().press("ArrowLeft");
  browser().press("7");
  browser().press("Enter");  // over the third, which is judged
  EXPECT_EQ(text("#count"), "Pair 4 of 4, 2 judged");
  browser().press("Backspace");
  EXPECT_EQ(text("#count"), "Pair 2 of 4, 2 judged");
  browser().press("ArrowRight");  // one by one
  EXPECT_EQ(text("#count"), "Pair 3 of 4, 2 judged");
  browser().click("#next");
  browser().press("8");
  EXPECT_EQ(text("#next"), "Next");
  browser().click("#next");  // to the one that was left out
  EXPECT_EQ(text("#count"), "Pair 1 of 4, 3 judged");
  EXPECT_EQ(text("#next"), "Skip");
  browser().click("#next");
  EXPECT_EQ(text("#overview-title"), "1 pair left.");
  EXPECT_EQ(text("#overview .primary"), "Go on with pair 1");
  browser().click("#overview .primary");
  EXPECT_EQ(text("#count"), "Pair 1 of 4, 3 judged");
  browser().click("#open-overview");
  browser().press("Enter");
  EXPECT_EQ(text("#count"), "Pair 1 of 4, 3 judged");
  browser().press("1");
  EXPECT_EQ(text("#next"), "Finish");
  browser().press("Enter");
  EXPECT_EQ(text("#overview .primary:not([hidden])"), "Download the answers");
  EXPECT_FALSE(is_visible("#go-on"));
  EXPECT_THAT(browser().complaints(), IsEmpty());
}

TEST_F(LabelPage, OneKeyAPairWhereTheLabelerWantsThat) {
  const std::vector<json> rows = {pair_row(0, "a", "b"), pair_row(1, "a", "b"),
                                  pair_row(2, "a", "b"), pair_row(3, "a", "b")};
  open(rows);
  begin_as("jon");
  EXPECT_EQ(browser().evaluate("document.getElementById('goes-on').checked"), false);
  browser().click("#goes-on-box");
  browser().press("3");
  EXPECT_EQ(text("#count"), "Pair 2 of 4, 1 judged");
  EXPECT_EQ(text("#hint"), "Pair 1: 3: A is somewhat better. Back changes it.");
  browser().evaluate(
      "document.dispatchEvent(new KeyboardEvent('keydown', {key: '3', repeat: true}))");
  EXPECT_EQ(text("#count"), "Pair 2 of 4, 1 judged") << "a key that is held down";
  browser().press("5");
  EXPECT_EQ(text("#hint"), "Choose A or B.");
  browser().press("b");
  EXPECT_EQ(text("#count"), "Pair 3 of 4, 2 judged");
  browser().press("Backspace");
  EXPECT_EQ(text("#scale-buttons [aria-pressed=true] b"), "5");
  browser().reload();
  EXPECT_EQ(browser().evaluate("document.getElementById('goes-on').checked"), true);
  browser().click("#scale-buttons button:nth-child(9)");
  EXPECT_EQ(text("#count"), "Pair 3 of 4, 2 judged");
  browser().click("#goes-on-box");
  browser().press("1");
  EXPECT_EQ(text("#count"), "Pair 3 of 4, 3 judged");
  open(rows, {"--label.axes"});
  begin_as("jon");
  EXPECT_FALSE(is_visible("#goes-on-box")) << "a choice is not the whole answer there";
  EXPECT_THAT(browser().complaints(), IsEmpty());
}

TEST_F(LabelPage, WhatCannotBeJudgedHasAReason) {
  open(
      {pair_row(0, "a", "b"), pair_row(1, "a", "b"), pair_row(2, "a", "b"), pair_row(3, "a", "b")});
  begin_as("kim");
  browser().press("4");
  browser().press("0");
  EXPECT_EQ(text("#hint"), "Say why it cannot be judged.");
  EXPECT_EQ(text("#count"), "Pair 1 of 4, 0 judged");
  browser().press("Enter");  // the reason that has the focus
  EXPECT_EQ(text("#reason-buttons [aria-pressed=true] span"),
            "The post or a summary cannot be understood");
  picture("cannot-judge");
  browser().press("Enter");  // on
  EXPECT_EQ(text("#count"), "Pair 2 of 4, 1 judged");
  browser().click("#cannot");
  browser().click("#reason-buttons [data-reason=other]");
  EXPECT_EQ(text("#hint"), "Say why in the note.");
  browser().type("Cut off.");
  browser().press("Escape");
  browser().press("Enter");
  EXPECT_EQ(text("#count"), "Pair 3 of 4, 2 judged");
  browser().press("0");
  browser().press("0");  // after all
  browser().press("7");
  EXPECT_FALSE(is_visible("#reasons"));
  browser().press("Enter");
  browser().click("#cannot");
  browser().click("#cannot");
  EXPECT_FALSE(is_visible("#reasons"));
  browser().press("0");
  browser().click("#open-overview");
  EXPECT_EQ(text("#overview-title"), "1 pair left.");
  const Path answers = download();
  const Rows lines = read_rows(answers);
  ASSERT_EQ(lines.size(), 4U);
  std::vector<json> reasons;
  std::vector<json> complete;
  for (const json& line : lines) {
    reasons.push_back(line["cannot_judge"]);
    complete.push_back(line["complete"]);
    EXPECT_EQ(line["scale"], reasons.size() == 3 ? json(7) : json());
  }
  EXPECT_THAT(reasons, ElementsAre("unclear", "other", nullptr, nullptr));
  EXPECT_THAT(complete, ElementsAre(true, true, true, false));
  EXPECT_THAT(import(answers, {"--unjudged", file("unjudged")}),
              HasSubstr("kim has no answer to 1 pair"));
  EXPECT_EQ(read_rows(file("out")).size(), 1U);
  const Rows unjudged = read_rows(file("unjudged"));
  ASSERT_EQ(unjudged.size(), 2U);
  EXPECT_EQ(unjudged[1]["extra"]["note"], "Cut off.");
  EXPECT_THAT(browser().complaints(), IsEmpty());
}

TEST_F(LabelPage, DigitsChooseAmongTheReasonsWhileThoseAreOpen) {
  open({pair_row(0, "a", "b"), pair_row(1, "a", "b"), pair_row(2, "a", "b")});
  begin_as("pat");
  const auto chosen = [&] { return text("#reason-buttons [aria-pressed=true]"); };
  browser().press("0");
  EXPECT_EQ(text("#reason-buttons button:nth-child(2)"), "2It takes knowledge that I lack");
  for (const char* digit : {"5", "9"}) {  // there are four reasons
    browser().press(digit);
    EXPECT_EQ(text("#hint"), "Say why it cannot be judged.");
  }
  browser().press("2");
  EXPECT_EQ(chosen(), "2It takes knowledge that I lack");
  browser().press("3");
  EXPECT_EQ(chosen(), "3I do not want to read it");
  EXPECT_EQ(text("#count"), "Pair 1 of 3, 1 judged");
  browser().press("Enter");
  EXPECT_EQ(text("#count"), "Pair 2 of 3, 1 judged");
  browser().press("0");
  browser().press("4");
  browser().type("Cut off.");  // the note, which that reason needs
  browser().press("Escape");
  browser().press("Enter");
  EXPECT_EQ(text("#count"), "Pair 3 of 3, 2 judged");
  browser().click("#goes-on-box");
  browser().press("0");
  browser().press("1");
  EXPECT_EQ(text("#overview-title"), "All pairs are judged.");
  std::vector<json> reasons;
  for (const json& line : read_rows(download())) {
    reasons.push_back(line["cannot_judge"]);
    EXPECT_EQ(line["scale"], json());
  }
  EXPECT_THAT(reasons, ElementsAre("upsetting", "other", "unclear"));
  EXPECT_THAT(browser().complaints(), IsEmpty());
}

TEST_F(LabelPage, TheDownloadRemindsWhenItIsStaleAndTheLaterOneCounts) {
  open({pair_row(0, "a", "b"), pair_row(1, "a", "b")});
  begin_as("lou");
  browser().press("2");
  EXPECT_EQ(text("#bar .download"), "Download");
  // The browser gives both one name.
  const Path first = file("first.jsonl");
  std::filesystem::rename(download(), first);
  browser().click("#next");
  EXPECT_EQ(text("#bar .download"), "Download");
  browser().press("8");
  browser().press("Backspace");
  browser().press("1");
  EXPECT_EQ(text("#bar .download"), "Download (2 new)");
  browser().reload();
  EXPECT_EQ(text("#bar .download"), "Download (2 new)");
  browser().click("#open-overview");
  EXPECT_THAT(text("#overview-stale"), HasSubstr("2 answers are newer than the last download ("));
  picture("overview-stale");
  const Path second = download();
  EXPECT_THAT(text("#overview-stale"), HasSubstr("nothing is newer."));
  EXPECT_EQ(text("#bar .download"), "Download");
  EXPECT_THAT(import(first.string() + "," + second.string()),
              testing::AllOf(HasSubstr("lou: 1 answer of an earlier download is replaced"),
                             HasSubstr("2 comparisons written")));
  EXPECT_THAT(import(second.string() + "," + second.string()), HasSubstr("2 comparisons written"));
  EXPECT_THAT(browser().complaints(), IsEmpty());
}

TEST_F(LabelPage, InstructionsMayHaveBoldPartsAndNoMarkup) {
  std::ofstream(file("how")) << "Read **all <i>of</i> it**, 2 ** 3 ** 4.\n**Then** choose.";
  open({pair_row(0, "a", "b")}, {"--label.instructions", file("how")});
  EXPECT_EQ(text("#start .instructions"), "Read all <i>of</i> it, 2 ** 3 ** 4.\nThen choose.");
  EXPECT_EQ(browser().evaluate("[...document.querySelectorAll('#start .instructions strong')]"
                               ".map((bold) => bold.textContent)"),
            json({"all <i>of</i> it", "Then"}));
  EXPECT_EQ(browser().evaluate("document.querySelectorAll('.instructions i').length"), 0);
}

TEST_F(LabelPage, ABreakIsProposedAfterFiftyPairs) {
  std::vector<json> rows;
  for (int i = 0; i < 52; ++i) {
    rows.push_back(pair_row(i, "a", "b"));
  }
  open(rows);
  begin_as("max");
  browser().click("#goes-on-box");
  for (int i = 0; i < 49; ++i) {
    browser().press("7");
  }
  EXPECT_FALSE(is_visible("#break"));
  browser().press("7");
  EXPECT_EQ(text("#count"), "Pair 51 of 52, 50 judged");
  EXPECT_TRUE(is_visible("#break"));
  EXPECT_THAT(text("#break"), HasSubstr("50 pairs without a break"));
  picture("break");
  browser().press("7");
  EXPECT_FALSE(is_visible("#break"));
  // A pause is a break.
  EXPECT_EQ(browser().evaluate("(() => { const sitting = {judged: 49, last: 0}; "
                               "countJudged(sitting, sittingGap + 1); return sitting.judged; })()"),
            1);
  EXPECT_EQ(browser().evaluate("(() => { const sitting = {judged: 49, last: 0}; "
                               "countJudged(sitting, sittingGap - 1); return sitting.judged; })()"),
            50);
}

TEST_F(LabelPage, OnAPhoneABarLeadsToThePostAndTheSummaries) {
  json row = pair_row(0, "a", "b");
  std::string post;
  for (int i = 0; i < 60; ++i) {
    post += fmt::format("Paragraph {} of a long post.\n\n", i);
  }
  row["info"]["post"] = post;
  open({row});
  begin_as("nan");
  EXPECT_FALSE(is_visible("#jump")) << "not where the post stands beside the summaries";
  browser().set_screen({.width = 390, .height = 780, .phone = true});
  EXPECT_TRUE(is_visible("#jump"));
  const auto is_marked = [&](const std::string& part) {
    return browser().wait_for(fmt::format(
        "document.querySelector('#jump [data-to={}]').classList.contains('seen')", part));
  };
  EXPECT_TRUE(is_marked("post"));
  EXPECT_TRUE(browser().wait_for("document.querySelectorAll('#jump .seen').length === 1"));
  const auto below_bar = [&](const std::string& part) {
    return browser()
        .evaluate(fmt::format("document.querySelector('{}').getBoundingClientRect().top - "
                              "document.getElementById('bar').getBoundingClientRect().bottom",
                              part))
        .get<double>();
  };
  for (const char* name : {"summary-left", "post", "summary-right"}) {
    SCOPED_TRACE(name);
    browser().click(fmt::format("#jump [data-to={}]", name));
    EXPECT_TRUE(is_marked(name));
    EXPECT_GE(below_bar(fmt::format("#{}", name)), 0);
    EXPECT_LT(below_bar(fmt::format("#{}", name)), 400);
    picture(std::string("phone-") + name);
  }
  EXPECT_EQ(browser().evaluate("document.getElementById('bar').getBoundingClientRect().top"), 0)
      << "it stays in sight";
  EXPECT_THAT(browser().complaints(), IsEmpty());
}

TEST_F(LabelPage, HelpOpensAtItsBeginning) {
  open({pair_row(0, "a", "b")}, {"--label.axes"});
  begin_as("ria");
  browser().set_screen({.width = 390, .height = 560, .phone = true});
  const auto help = [&](const std::string& of) {
    return browser().evaluate("document.getElementById('help')." + of).get<double>();
  };
  for (const char* time : {"first", "second"}) {
    SCOPED_TRACE(time);
    browser().click("#bar .open-help");
    ASSERT_GT(help("scrollHeight"), help("clientHeight")) << "longer than the screen";
    EXPECT_EQ(help("scrollTop"), 0);
    picture("help-phone");
    browser().click("#help form button");  // at its end
    EXPECT_FALSE(is_visible("#help"));
  }
  EXPECT_THAT(browser().complaints(), IsEmpty());
}

TEST_F(LabelPage, FitsPhonesAndDesktopsInLightAndDark) {
  json row =
      pair_row(0, "A summary of some length that is about what happened to the writer. What now?",
               "Another one, " + std::string(60, 'x') + ", with a word too long for a phone.");
  std::string post = row["info"]["post"];
  for (int i = 0; i < 20; ++i) {
    post += fmt::format(
        "\n\nParagraph {} goes on about the story and its people for a while, as posts do.", i);
  }
  row["info"]["post"] = post;
  open({row, row, pair_row(1, "a", "b")}, {"--label.axes"});
  begin_as("hal");
  browser().press("7");
  for (const int width : {320, 390, 768, 1024, 1280, 1920}) {
    for (const bool dark : {false, true}) {
      SCOPED_TRACE(fmt::format("{} {}", width, dark ? "dark" : "light"));
      browser().set_screen(
          {.width = width, .height = width < 700 ? 780 : 800, .dark = dark, .phone = width < 700});
      EXPECT_LE(browser().evaluate("document.documentElement.scrollWidth"), width);
      // What is touched is at least as large as WCAG 2.2 asks for (2.5.8).
      EXPECT_GE(browser().evaluate("Math.min(...[...document.querySelectorAll('#judge button, #bar "
                                   "button, .axis-values label')]"
                                   ".filter((b) => b.checkVisibility()).map((b) => { const r = "
                                   "b.getBoundingClientRect(); "
                                   "return Math.min(r.width, r.height); }))"),
                24);
      const std::string background =
          browser().evaluate("getComputedStyle(document.body).backgroundColor");
      EXPECT_EQ(background, dark ? "rgb(21, 24, 27)" : "rgb(250, 249, 246)");
      picture(fmt::format("{}-{}", width, dark ? "dark" : "light"), width < 700);
    }
  }
  // On paper the whole post, which has no box of its own there.
  browser().set_screen({.width = 718, .height = 1000, .paper = true});
  EXPECT_LE(browser().evaluate("document.documentElement.scrollWidth"), 718);
  EXPECT_EQ(browser().evaluate("(() => { const post = document.getElementById('post'); "
                               "return post.scrollHeight > post.clientHeight; })()"),
            false);
  EXPECT_FALSE(is_visible("#bar"));
  if (const char* folder = std::getenv("PRECIS_SCREENSHOTS")) {
    browser().print(Path(folder) / "label-page.pdf");
  }
  EXPECT_THAT(browser().complaints(), IsEmpty());
}

}  // namespace
}  // namespace precis::test
