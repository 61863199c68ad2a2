#include "common/prompts/make_prompt.h"

#include "common/prompts/budget.h"
#include "common/prompts/shapes_model.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/scripted_model.h"

namespace ip2p {
namespace {

Task<void> Store(const PromptParts* parts, Caption caption, std::optional<HalfMade> from, MadePrompt* made) {
  *made = co_await MakePrompt(*parts, std::move(caption), std::move(from));
}

class MakePromptTest : public testing::Test {
 protected:
  MadePrompt Make(PromptModel* model, const std::string& caption = "a field") {
    PromptParts parts{.model = model, .moderator = moderator_, .spend = &budget_, .params = params_};
    MadePrompt made;
    Caption ours;
    ours.index = 4;
    ours.text = caption;
    ours.url.push_back('u');
    parts.keep = [this](int64_t index, const HalfMade& half) {
      EXPECT_EQ(index, 4);
      kept_.push_back(half);
      return keep_status_;
    };
    loop_.Run(Store(&parts, std::move(ours), from_, &made));
    return made;
  }
  MadePrompt Make(ScriptedModel::Script script) {
    ScriptedModel model(&loop_, std::move(script));
    MadePrompt made = Make(&model);
    tries_ = model.tries["a field"];
    return made;
  }

  FakeClock clock_;
  EventLoop loop_{
      {.clock = &clock_, .on_idle = [this](absl::Time next) { clock_.Advance(next - clock_.Now()); }}};
  Budget budget_{std::nullopt, 0, nullptr};
  Moderator* moderator_ = nullptr;
  GenerationParams params_;
  int tries_ = 0;
  std::optional<HalfMade> from_;
  std::vector<HalfMade> kept_;
  absl::Status keep_status_;
};

TEST_F(MakePromptTest, AGoodAnswer) {
  const MadePrompt made = Make([](const Caption& caption, int) {
    Attempt attempt = ScriptedModel::Good(caption);
    attempt.edit = "  make it winter \n";
    return attempt;
  });
  ASSERT_TRUE(made.end.ok());
  EXPECT_EQ(made.outcome.rejected, RejectReason::kNone);
  EXPECT_EQ(made.outcome.index, 4);
  EXPECT_EQ(made.outcome.prompt.caption, "a field");
  EXPECT_EQ(made.outcome.prompt.edit, "make it winter");
  EXPECT_EQ(made.outcome.prompt.output, "a field in winter");
  EXPECT_EQ(made.outcome.prompt.url, "u");
  EXPECT_EQ(made.outcome.prompt.model, "scripted-1");
  EXPECT_EQ(made.outcome.usage.prompt_tokens, 100);
  EXPECT_EQ(made.outcome.prompt.usage, made.outcome.usage);
  EXPECT_EQ(tries_, 1);
}

TEST_F(MakePromptTest, TriesAgainAndCountsEveryTry) {
  const MadePrompt made = Make([](const Caption& caption, int nth) {
    if (nth == 0) return ScriptedModel::Bad(AttemptResult::kMalformed);
    Attempt attempt = ScriptedModel::Good(caption);
    if (nth == 1) attempt.output = " A Field.";  // the caption again, as people see it
    return attempt;
  });
  EXPECT_EQ(made.outcome.rejected, RejectReason::kNone);
  EXPECT_EQ(made.outcome.usage.requests, 3);
  EXPECT_EQ(tries_, 3);
}

TEST_F(MakePromptTest, RejectedForTheLastReasonAfterAllTries) {
  params_.max_tries = 2;
  const auto reason = [this](ScriptedModel::Script script) {
    return Make(std::move(script)).outcome.rejected;
  };
  EXPECT_EQ(reason([](const Caption& caption, int) {
              Attempt attempt = ScriptedModel::Good(caption);
              attempt.output = caption.text;
              return attempt;
            }),
            RejectReason::kUnchanged);
  EXPECT_EQ(tries_, 2);
  EXPECT_EQ(reason([](const Caption& caption, int) {
              Attempt attempt = ScriptedModel::Good(caption);
              attempt.edit.clear();
              return attempt;
            }),
            RejectReason::kMalformed);
  EXPECT_EQ(tries_, 2);
  EXPECT_EQ(reason([](const Caption& caption, int) {
              Attempt attempt = ScriptedModel::Good(caption);
              attempt.edit.assign(5000, 'x');
              return attempt;
            }),
            RejectReason::kMalformed);
}

TEST_F(MakePromptTest, SomeAnswersAreNotAskedForAgain) {
  EXPECT_EQ(
      Make([](const Caption&, int) { return ScriptedModel::Bad(AttemptResult::kRefused); }).outcome.rejected,
      RejectReason::kRefused);
  EXPECT_EQ(tries_, 1);
  const MadePrompt failed = Make([](const Caption&, int) {
    return ScriptedModel::Bad(AttemptResult::kProviderError, absl::UnavailableError("timed out"));
  });
  EXPECT_EQ(failed.outcome.rejected, RejectReason::kProviderError);
  EXPECT_EQ(failed.outcome.detail, "timed out");
  EXPECT_EQ(tries_, 1);  // the policy inside of the writer has tried already
}

TEST_F(MakePromptTest, WhatEndsARun) {
  const auto end = [this](AttemptResult result, absl::Status status) {
    return Make([&](const Caption&, int) { return ScriptedModel::Bad(result, status); }).end.code();
  };
  EXPECT_EQ(end(AttemptResult::kFatal, absl::UnauthenticatedError("key")),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(end(AttemptResult::kFatal, absl::UnavailableError("later")), absl::StatusCode::kUnavailable);
  EXPECT_EQ(end(AttemptResult::kOutOfBudget, absl::OkStatus()), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(end(AttemptResult::kCancelled, absl::OkStatus()), absl::StatusCode::kCancelled);
}

TEST_F(MakePromptTest, Moderation) {
  ScriptedModerator moderator("FLAG");
  moderator_ = &moderator;
  const auto good = [](const Caption& caption, int) { return ScriptedModel::Good(caption); };
  EXPECT_EQ(Make(good).outcome.rejected, RejectReason::kNone);
  EXPECT_EQ(moderator.asked, 2);  // the caption; edit and output together
  {
    ScriptedModel model(&loop_, good);
    EXPECT_EQ(Make(&model, "a FLAG").outcome.rejected, RejectReason::kCaptionFlagged);
    EXPECT_TRUE(model.tries.empty());  // nothing was asked for it
  }
  const auto flagged = [](const Caption& caption, int nth) {
    Attempt attempt = ScriptedModel::Good(caption);
    if (nth < 2) attempt.output += " FLAG";
    return attempt;
  };
  EXPECT_EQ(Make(flagged).outcome.rejected, RejectReason::kNone);
  EXPECT_EQ(tries_, 3);
  params_.max_tries = 2;
  EXPECT_EQ(Make(flagged).outcome.rejected, RejectReason::kAnswerFlagged);
  moderator.result = AttemptResult::kProviderError;
  EXPECT_EQ(Make(good).outcome.rejected, RejectReason::kProviderError);
  params_.moderation = false;
  EXPECT_EQ(Make(good).outcome.rejected, RejectReason::kNone);
}

TEST_F(MakePromptTest, IsKeptBeforeMoreIsAskedAndGoesOnFromThere) {
  ScriptedModerator moderator("FLAG");
  moderator_ = &moderator;
  const auto script = [](const Caption& caption, int nth) {
    Attempt attempt = ScriptedModel::Good(caption);
    if (nth == 0) attempt.output += " FLAG";
    return attempt;
  };
  const MadePrompt whole = Make(script);
  ASSERT_EQ(whole.outcome.rejected, RejectReason::kNone);
  // The caption passed; an answer waits; it was flagged; another waits.
  ASSERT_EQ(kept_.size(), 4u);
  EXPECT_EQ(kept_[0], (HalfMade{.usage = {.requests = 1}}));
  EXPECT_EQ(std::pair(kept_[1].tries, kept_[1].pending), std::pair(1, true));
  EXPECT_EQ(kept_[1].output, "a field in winter FLAG");
  EXPECT_EQ(std::pair(kept_[2].tries, kept_[2].pending), std::pair(1, false));
  EXPECT_EQ(std::pair(kept_[3].tries, kept_[3].pending), std::pair(2, true));
  EXPECT_EQ(whole.kept, kept_[3].usage);

  const std::vector<HalfMade> kept = kept_;
  const int writes[] = {2, 1, 1, 0}, judgements[] = {2, 2, 1, 1};  // that are still to come
  for (size_t i = 0; i < kept.size(); ++i) {
    from_ = kept[i];
    moderator.asked = 0;
    // The script's answers go on from where the former process was.
    const MadePrompt rest =
        Make([&](const Caption& caption, int nth) { return script(caption, nth + kept[i].tries); });
    EXPECT_EQ(rest.outcome.prompt.output, "a field in winter") << i;
    EXPECT_EQ(rest.outcome.usage.prompt_tokens, whole.outcome.usage.prompt_tokens) << i;
    EXPECT_EQ(rest.outcome.model, whole.outcome.model) << i;
    EXPECT_EQ(tries_, writes[i]) << i;
    EXPECT_EQ(moderator.asked, judgements[i]) << i;
  }
}

TEST_F(MakePromptTest, WithoutAJudgeAGoodAnswerNeedsNoRecord) {
  Make([](const Caption& caption, int) { return ScriptedModel::Good(caption); });
  EXPECT_TRUE(kept_.empty());
}

TEST_F(MakePromptTest, WhatCannotBeKeptEndsTheCaption) {
  ScriptedModerator moderator("FLAG");
  moderator_ = &moderator;
  keep_status_ = absl::ResourceExhaustedError("no space left");
  const MadePrompt made = Make([](const Caption& caption, int) { return ScriptedModel::Good(caption); });
  EXPECT_EQ(made.end, keep_status_);
  EXPECT_EQ(tries_, 0);
}

TEST_F(MakePromptTest, FewerTriesThanBeforeStillLeaveOne) {
  params_.max_tries = 1;
  from_ = HalfMade{.tries = 2};
  EXPECT_EQ(Make([](const Caption& caption, int) { return ScriptedModel::Good(caption); }).outcome.rejected,
            RejectReason::kNone);
  EXPECT_EQ(tries_, 1);
}

TEST_F(MakePromptTest, ShapesNeedsNoNetworkAndKnowsItsWorld) {
  ShapesModel shapes;
  const MadePrompt made = Make(&shapes, "a red circle on grass");
  ASSERT_EQ(made.outcome.rejected, RejectReason::kNone);
  EXPECT_EQ(made.outcome.model, "shapes");
  EXPECT_EQ(made.outcome.prompt.edit, Make(&shapes, "a red circle on grass").outcome.prompt.edit);
  EXPECT_EQ(made.outcome.usage, Usage());
  params_.seed = 8;
  EXPECT_NE(made.outcome.prompt.edit, Make(&shapes, "a red circle on grass").outcome.prompt.edit);
  EXPECT_EQ(Make(&shapes, "my dog").outcome.rejected, RejectReason::kRefused);
}

}  // namespace
}  // namespace ip2p
