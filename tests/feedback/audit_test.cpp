#include "feedback/audit.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/random.hpp"
#include "feedback/audit_report.hpp"
#include "feedback/feedback_sheet.hpp"
#include "feedback/judged.hpp"
#include "io/jsonl.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

namespace precis {
namespace {

using testing::EndsWith;
using testing::HasSubstr;

std::pair<std::int64_t, std::int64_t> counts(const AgreementCount& of) {
  return {of.agreed, of.pairs};
}
using Counts = std::pair<std::int64_t, std::int64_t>;

// ann and bob judge four pairs, in either order; rita, a researcher, three; ruth, another, one.
std::vector<Comparison> hand_made() {
  return {judged(1, "ann", 'A'),        judged(1, "bob", 'A', true), judged(1, "rita", 'A'),
          judged(2, "ann", 'A', true),  judged(2, "bob", 'B', true), judged(2, "rita", 'B'),
          judged(2, "ruth", 'A'),       judged(3, "ann", 'B'),       judged(3, "bob", 'B'),
          judged(3, "rita", 'A', true), judged(4, "ann", 'B'),       judged(4, "bob", 'A')};
}

/// The pair of post number `post`.
JudgedPair& of_post(JudgedPairs& pairs, int post) {
  return *std::find_if(pairs.pairs.begin(), pairs.pairs.end(), [&](const JudgedPair& pair) {
    return pair.post.id == std::to_string(post);
  });
}

/// The vote on it of a labeler, by the labeler's place.
const PairVote& vote_of(JudgedPairs& pairs, int post, std::size_t labeler) {
  const auto& votes = of_post(pairs, post).votes;
  return pairs.votes[*std::find_if(votes.begin(), votes.end(), [&](std::size_t i) {
    return pairs.votes[i].labeler == labeler;
  })];
}

TEST(JudgedPairs, AreJoinedWhateverTheOrderShown) {
  JudgedPairs pairs = join_comparisons(hand_made());
  ASSERT_EQ(pairs.pairs.size(), 4U);
  EXPECT_EQ(pairs.labelers, (std::vector<std::string>{"ann", "bob", "rita", "ruth"}));
  EXPECT_EQ(pairs.votes.size(), 12U);
  for (const JudgedPair& pair : pairs.pairs) {
    EXPECT_EQ(pair.texts[0], " A short one.");
    EXPECT_EQ(pair.policies[0], "sft");
    EXPECT_FALSE(pair.gold || pair.reward);
  }
  EXPECT_EQ(vote_of(pairs, 1, 1).choice, 0);
  EXPECT_FALSE(vote_of(pairs, 1, 1).first_shown);
  EXPECT_EQ(vote_of(pairs, 2, 1).choice, 1);
  EXPECT_TRUE(vote_of(pairs, 2, 1).first_shown);
}

TEST(JudgedPairs, RepeatedJudgementsAndEqualTextsAreCountedApart) {
  auto comparisons = hand_made();
  comparisons.push_back(judged(1, "ann", 'A', true));
  comparisons.push_back(judged(2, "ann", 'B'));
  comparisons.push_back(judged(5, "ann", 'A'));
  comparisons.back().summaries[1] = "A short one. ";
  for (int copy = 0; copy < 3; ++copy) {
    comparisons.push_back(judged(3, "bob", 'B'));
  }
  comparisons.push_back(judged(4, "bob", 'B'));
  const JudgedPairs pairs = join_comparisons(comparisons);
  EXPECT_EQ(pairs.votes.size(), 10U);  // not ann's on post 2 and bob's on post 4, judged both ways
  EXPECT_EQ(counts(pairs.repeats[0]), Counts(1, 2));
  // Copies are no second judgements, and who counts only opposite ones counts no agreement.
  EXPECT_EQ(counts(pairs.repeats[1]), Counts(0, 0));
  EXPECT_EQ(pairs.contradicted, (std::vector<std::int64_t>{1, 1, 0, 0}));
  EXPECT_EQ(pairs.repeated, 4);
  EXPECT_EQ(pairs.identical, 1);
  const Audit found = audit_labelers(pairs, {});
  EXPECT_THAT(
      to_text(pairs, found),
      testing::AllOf(HasSubstr("Judged both ways by the same labeler, and left out for this "
                               "labeler: ann (1 pair), bob (1 pair)."),
                     HasSubstr("4 duplicate judgements (same pair, labeler and choice) were "
                               "counted once.")));
  EXPECT_EQ(to_json(pairs, found)["workers"][0]["contradicted"], 1);
}

TEST(JudgedPairs, JudgementsWithoutANameMayBeOfSeveralPeople) {
  std::vector<Comparison> list;
  for (int post = 0; post < 10; ++post) {
    for (int person = 0; person < 3; ++person) {
      list.push_back(judged(post, "", person == 2 && post > 0 ? 'B' : 'A'));
      list.back().confidence = 1 + person;
    }
  }
  list.push_back(list.back());
  const JudgedPairs pairs = join_comparisons(list);
  EXPECT_EQ(pairs.pairs.size(), 10U);
  EXPECT_EQ(pairs.votes.size(), 30U);
  EXPECT_EQ(pairs.repeated, 1);
  EXPECT_EQ(pairs.contradicted.at(0), 0);
  EXPECT_EQ(pairs.repeats.at(0).pairs, 0);
  // How good each is cannot be known of people who cannot be told apart.
  const Audit found = audit_labelers(pairs, {});
  EXPECT_FALSE(found.labelers.at(0).reliability);
  EXPECT_EQ(found.matrix.cells[0][0].pairs, 0);
  EXPECT_THAT(to_text(pairs, found), HasSubstr("30 judgements of 10 pairs"));
}

// Three labelers with repeated, contradictory and nameless judgements, several batches, and pairs
// of the same post.
std::vector<Comparison> of_all_kinds() {
  std::vector<Comparison> list;
  for (int i = 0; i < 40; ++i) {
    for (const char* worker : {"ann", "bob", "cal", "dan"}) {
      const int mark = (i * 7 + worker[0]) % 11;
      if (mark == 10) {
        continue;
      }
      Comparison of =
          judged(i / 2, worker, (i / 2 + (mark < 2 ? 1 : 0)) % 2 == 0 ? 'A' : 'B', mark % 3 == 0);
      of.summaries[of.summaries[0][1] == 'A' ? 0 : 1] += i % 2 == 0 ? "" : " More.";
      of.batch = "week-" + std::to_string(1 + i % 12);
      of.confidence = 1 + mark % 9;
      of.notes = {"", mark == 4 ? "length" : ""};
      list.push_back(of);
      if (mark == 5) {
        list.push_back(of);
      }
      if (mark == 6 || mark == 7) {
        std::swap(of.summaries[0], of.summaries[1]);
        std::swap(of.policies[0], of.policies[1]);
        of.choice = mark == 6 ? of.choice : 1 - of.choice;
        of.batch = "again";
        of.post.id = "";
        list.push_back(of);
      }
      if (mark == 8) {
        of.worker = "";
        list.push_back(of);
      }
    }
  }
  return list;
}

TEST(Audit, IsTheSameToTheLastBitInAnyOrderOfTheRows) {
  const auto comparisons = of_all_kinds();
  const AuditOptions options{.researchers = {"dan"}};
  const auto all_of = [&](const std::vector<Comparison>& list) {
    JudgedPairs pairs = join_comparisons(list);
    const Audit audit = audit_labelers(pairs, options);
    std::string text = to_text(pairs, audit) + to_json(pairs, audit).dump();
    for (const auto& [worker, weight] : worker_weights(audit)) {
      text += fmt::format("{} {:a}\n", worker, weight);
    }
    for (std::size_t i = 0; i < pairs.pairs.size(); ++i) {
      text += fmt::format("{} {} {:a}\n", pairs.pairs[i].id, pairs.pairs[i].post.id,
                          audit.consensus.probability_of_1[i]);
    }
    for (std::size_t l = 0; l < pairs.labelers.size(); ++l) {
      text += sheet_name(l, pairs.labelers[l]) + feedback_sheet(pairs, audit, l, 20);
    }
    return text;
  };
  const std::string expected = all_of(comparisons);
  EXPECT_THAT(expected, testing::AllOf(HasSubstr("Judged both ways"), HasSubstr("counted once"),
                                       HasSubstr("(no name)"), HasSubstr("week-12")));
  EXPECT_LT(expected.find("week-9"), expected.find("week-10"));
  for (std::uint64_t shuffle = 0; shuffle < 20; ++shuffle) {
    std::vector<Comparison> list;
    for (const std::int64_t place :
         permutation(static_cast<std::int64_t>(comparisons.size()), 3, Purpose::testing, shuffle)) {
      list.push_back(comparisons[static_cast<std::size_t>(place)]);
    }
    ASSERT_EQ(all_of(list), expected) << shuffle;
  }
}

TEST(Audit, CopiesOfTheRowsChangeNothingButTheirNumber) {
  const auto comparisons = of_all_kinds();
  std::vector<Comparison> many;
  for (std::size_t i = 0; i < 16 * comparisons.size(); ++i) {
    many.push_back(comparisons[(3 * i) % comparisons.size()]);
  }
  ASSERT_NE(comparisons.size() % 3, 0U);
  const auto json_of = [](const std::vector<Comparison>& list) {
    const JudgedPairs pairs = join_comparisons(list);
    auto json = to_json(pairs, audit_labelers(pairs, {}));
    json.erase("repeated");
    return json;
  };
  EXPECT_EQ(json_of(many).dump(), json_of(comparisons).dump());
}

// The order of two opposite judgements of one pair once decided between a weight of 0.71 and of 0.
TEST(Audit, APairJudgedBothWaysDoesNotDecideAWeight) {
  std::vector<Comparison> list;
  for (int i = 0; i < 6; ++i) {
    for (const char* worker : {"ann", "bob", "cal"}) {
      list.push_back(judged(i, worker, i % 2 == 0 ? 'A' : 'B'));
    }
  }
  list.push_back(judged(1, "cal", 'A'));
  const auto weight_of = [](const std::vector<Comparison>& of) {
    return worker_weights(audit_labelers(join_comparisons(of), {})).at("cal");
  };
  const double weight = weight_of(list);
  EXPECT_GT(weight, 0.5);
  std::reverse(list.begin(), list.end());
  EXPECT_EQ(weight_of(list), weight);
}

TEST(Audit, SaysWhereJudgementsAreTooFew) {
  std::vector<Comparison> list;
  for (int i = 0; i < 10; ++i) {
    for (const char* worker : {"ann", "bob", "cal"}) {
      list.push_back(judged(i, worker, i % 2 == 0 ? 'A' : 'B'));
    }
  }
  const JudgedPairs pairs = join_comparisons(list);
  const Audit found = audit_labelers(pairs, {});
  for (const LabelerAudit& labeler : found.labelers) {
    EXPECT_EQ(verdict_on(labeler), "too few judgements to tell");
    EXPECT_EQ(labeler.with(Standard::majority).agreed, 10);
  }
  const std::string text = to_text(pairs, found);
  EXPECT_THAT(text, HasSubstr("Too few judgements to tell how good ann, bob, cal are"));
  EXPECT_THAT(text, testing::Not(HasSubstr("chance")));
  // All 30 agreements of labelers are of 10 posts.
  EXPECT_THAT(text, HasSubstr("1.000 (0.72 to 1.00) of 30 judgements, too few judgements to tell"));
}

TEST(AgreementMatrix, OfHandMadeJudgements) {
  JudgedPairs pairs = join_comparisons(hand_made());
  of_post(pairs, 1).gold = 0;
  of_post(pairs, 2).gold = 0;
  of_post(pairs, 4).gold = 1;
  of_post(pairs, 4).reward = 0;
  const AgreementMatrix matrix = agreement_matrix(pairs, {false, false, true, true});
  std::vector<std::string> names;
  for (const auto& judge : matrix.judges) {
    names.push_back(judge.name);
  }
  EXPECT_EQ(names, (std::vector<std::string>{"ann", "bob", "researchers", "gold", "reward model"}));
  const std::vector<std::vector<Counts>> expected = {{{0, 0}, {2, 4}, {2, 4}, {3, 3}, {0, 1}},
                                                     {{2, 4}, {0, 0}, {2, 4}, {1, 3}, {1, 1}},
                                                     {{2, 4}, {2, 4}, {0, 1}, {2, 3}, {0, 0}},
                                                     {{3, 3}, {1, 3}, {2, 3}, {0, 0}, {0, 1}},
                                                     {{0, 1}, {1, 1}, {0, 0}, {0, 1}, {0, 0}}};
  for (std::size_t i = 0; i < 5; ++i) {
    for (std::size_t j = 0; j < 5; ++j) {
      EXPECT_EQ(counts(matrix.cells[i][j]), expected[i][j]) << i << " " << j;
    }
  }
}

TEST(Audit, ComparesWithResearchers) {
  auto comparisons = hand_made();
  comparisons[0].confidence = 9;  // agrees
  comparisons[3].confidence = 1;  // with one of two
  comparisons[4].confidence = 6;  // with one of two
  comparisons[3].batch = "two";
  comparisons[4].batch = "two";
  const JudgedPairs pairs = join_comparisons(comparisons);
  const Audit found = audit_labelers(pairs, {.researchers = {"rita", "ruth"}});
  EXPECT_EQ(found.reference, Standard::researchers);
  EXPECT_EQ(found.judged_by_several, 4);
  EXPECT_EQ(counts(found.labeler_researcher), Counts(4, 8));
  EXPECT_EQ(counts(found.labeler_labeler), Counts(2, 4));
  EXPECT_EQ(counts(found.researcher_researcher), Counts(0, 1));
  ASSERT_EQ(found.by_confidence.size(), 3U);
  EXPECT_EQ(found.by_confidence[0].name, "1 or 9");
  EXPECT_EQ(counts(found.by_confidence[0].count), Counts(2, 3));
  EXPECT_EQ(found.by_confidence[1].name, "4 or 6");
  EXPECT_EQ(counts(found.by_confidence[1].count), Counts(1, 2));
  EXPECT_EQ(found.by_confidence[2].name, "not given");
  EXPECT_EQ(counts(found.by_confidence[2].count), Counts(1, 3));
  ASSERT_EQ(found.by_batch.size(), 2U);
  EXPECT_EQ(found.by_batch[1].name, "two");
  EXPECT_EQ(counts(found.by_batch[1].count), Counts(2, 4));
  ASSERT_EQ(found.by_policies.size(), 1U);
  EXPECT_EQ(found.by_policies[0].name, "ref and sft");
  const LabelerAudit& ann = found.labelers[0];
  EXPECT_EQ(counts(ann.with(Standard::researchers)), Counts(2, 4));
  EXPECT_EQ(counts(ann.first_shown), Counts(1, 4));
  EXPECT_EQ(counts(ann.longer), Counts(2, 4));
  // On post 3 the others are divided.
  EXPECT_EQ(counts(ann.with(Standard::majority)), Counts(1, 3));
  EXPECT_EQ(counts(ann.with(Standard::gold)), Counts(0, 0));
  EXPECT_EQ(found.labelers[2].with(Standard::researchers).pairs, 1);
}

TEST(Audit, WithoutResearchersTheMajorityAndWithoutOverlapGold) {
  EXPECT_EQ(audit_labelers(join_comparisons(hand_made()), {}).reference, Standard::majority);
  JudgedPairs alone = join_comparisons({judged(1, "ann", 'A'), judged(2, "bob", 'B')});
  Audit found = audit_labelers(alone, {});
  EXPECT_FALSE(found.reference);
  EXPECT_THAT(to_text(alone, found), HasSubstr("No pair was judged by two labelers"));
  EXPECT_TRUE(worker_weights(found).empty());
  of_post(alone, 1).gold = 1;
  found = audit_labelers(alone, {});
  EXPECT_EQ(found.reference, Standard::gold);
  EXPECT_EQ(counts(found.by_batch.at(0).count), Counts(0, 1));
  EXPECT_THAT(
      message_of<UsageError>([&] { (void)audit_labelers(alone, {.researchers = {"anna"}}); }),
      HasSubstr("ann and bob did. Did you mean ann?"));
  EXPECT_THAT(
      message_of<UsageError>([&] { (void)audit_labelers(alone, {.researchers = {"rita"}}); }),
      EndsWith("; ann and bob did."));
}

// Four labelers of whom "eve" says the contrary of the truth, on 60 pairs.
std::vector<Comparison> with_adversary() {
  std::vector<Comparison> comparisons;
  for (int i = 0; i < 60; ++i) {
    const char truth = i % 2 == 0 ? 'A' : 'B';
    const char wrong = i % 2 == 0 ? 'B' : 'A';
    comparisons.push_back(judged(i, "ann", i % 10 == 0 ? wrong : truth));
    comparisons.push_back(judged(i, "bob", i % 10 == 3 ? wrong : truth, true));
    comparisons.push_back(judged(i, "cal", i % 5 == 1 ? wrong : truth));
    comparisons.push_back(judged(i, "eve", i % 10 == 5 ? truth : wrong));
  }
  return comparisons;
}

TEST(Audit, FindsTheAdversaryAndGivesNoWeight) {
  const JudgedPairs pairs = join_comparisons(with_adversary());
  const Audit found = audit_labelers(pairs, {});
  EXPECT_THAT(verdict_on(found.labelers[3]), HasSubstr("worse than chance"));
  EXPECT_EQ(verdict_on(found.labelers[0]), "");
  const auto weights = worker_weights(found);
  EXPECT_EQ(weights.at("eve"), 0);
  // Right on 54 of 60, with one right and one wrong more for each of the two truths.
  EXPECT_NEAR(weights.at("ann"), 2 * 56.0 / 64 - 1, 0.02);
  EXPECT_LT(weights.at("cal"), weights.at("ann"));
  // The consensus of the others knows that eve says the contrary.
  EXPECT_EQ(found.labelers[3].with(Standard::consensus).pairs, 60);
  EXPECT_LE(found.labelers[3].with(Standard::consensus).agreed, 9);
  const auto json = to_json(pairs, found);
  EXPECT_EQ(json["workers"][3]["weight"], 0);
  EXPECT_LT(json["workers"][3]["accuracy_high"], 0.5);
  EXPECT_EQ(json["matrix"]["judges"].size(), 4U);
  EXPECT_EQ(json["matrix"]["cells"][0][3]["pairs"], 60);
  EXPECT_THAT(to_text(pairs, found), HasSubstr("eve is worse than chance"));
}

TEST(Audit, AResearcherTurnsAMajorityOfAdversaries) {
  std::vector<Comparison> comparisons = with_adversary();
  for (int i = 0; i < 60; ++i) {  // three more who say much what eve says
    for (const char* worker : {"fay", "gus", "hal"}) {
      comparisons.push_back(judged(i, worker, (i % 2 == 0) == (i % 7 != 0) ? 'B' : 'A'));
    }
  }
  const JudgedPairs pairs = join_comparisons(comparisons);
  EXPECT_GT(audit_labelers(pairs, {}).labelers[3].reliability->accuracy, 0.5);
  const Audit anchored = audit_labelers(pairs, {.researchers = {"ann"}});
  EXPECT_LT(anchored.labelers[3].reliability->accuracy, 0.5);
  EXPECT_GT(anchored.labelers[0].reliability->accuracy, 0.5);
  EXPECT_TRUE(anchored.anchored);
}

TEST(PairRewards, AreTurnedToTheOrderOfTheTexts) {
  JudgedPairs pairs = join_comparisons(hand_made());
  const TemporaryFolder folder;
  const auto row = [&](std::size_t pair, const std::string& rest) {
    return R"({"pair":")" + pairs.pairs[pair].id + R"(","rewards":)" + rest + "}\n";
  };
  const std::string file =
      folder.file("r.jsonl", row(0, "[1,2],\"swapped\":false") + row(1, "[1,2],\"swapped\":true") +
                                 row(2, "[2,2],\"swapped\":true") +
                                 "{\"pair\":\"x\",\"rewards\":[0,0],\"swapped\":false}\n");
  EXPECT_EQ(read_pair_rewards(file, pairs), 3);
  EXPECT_EQ(pairs.pairs[0].reward, 1);
  EXPECT_EQ(pairs.pairs[1].reward, 0);
  EXPECT_FALSE(pairs.pairs[2].reward);
  // Rows that contradict each other are no preference, in whichever order they come.
  for (const auto& [first, second] : {std::pair("[1,2]", "[2,1]"), std::pair("[2,1]", "[1,2]")}) {
    const auto one = [&, list = std::string(",\"swapped\":false")](const char* rewards) {
      return row(0, rewards + list);
    };
    EXPECT_EQ(
        read_pair_rewards(folder.file("two.jsonl", one(first) + one(second) + one(first)), pairs),
        1);
    EXPECT_FALSE(pairs.pairs[0].reward);
  }
  for (const auto& [rest, message] :
       {std::pair("[1,2]", "r.jsonl:1: the fields `pair`, `rewards` (two numbers) and `swapped`"),
        std::pair("[1],\"swapped\":true", "r.jsonl:1"),
        std::pair("[1,\"2\"],\"swapped\":true", "r.jsonl:1")}) {
    EXPECT_THAT(message_of<Error>([&, text = std::string(rest)] {
                  (void)read_pair_rewards(folder.file("r.jsonl", row(0, text)), pairs);
                }),
                HasSubstr(message));
  }
  EXPECT_THAT(message_of<Error>([&] {
                (void)read_pair_rewards(
                    folder.file("r.jsonl", R"({"pair":"x","rewards":[0,0],"swapped":false})"),
                    pairs);
              }),
              HasSubstr("none of its pairs is among the 4"));
}

}  // namespace
}  // namespace precis
