// Every kernel of the list refuses wrong arguments before it computes, with one message on all
// backends. A kernel without right arguments here (right_NAME) does not compile.
#include "kernels/checks/checks.hpp"

#include <array>
#include <span>
#include <tuple>

#include "kernels/counting/counting.hpp"
#include "kernels/exact_sum.hpp"
#include "kernels/harness.hpp"

namespace precis::test {
namespace {

/// What the views of this test show; no kernel gets as far as to look at it.
View zeros_of(DType dtype, const Shape& shape) {
  static std::array<std::byte, 1 << 14> memory{};
  assert(shape.numel() * size_of(dtype) <= static_cast<std::int64_t>(memory.size()));
  return {memory.data(), dtype, shape};
}
View f32(const Shape& shape) { return zeros_of(DType::f32, shape); }
View f64(const Shape& shape) { return zeros_of(DType::f64, shape); }
View i32(const Shape& shape) { return zeros_of(DType::i32, shape); }
View i64(const Shape& shape) { return zeros_of(DType::i64, shape); }

// Letters as in kernels.hpp; each another size.
constexpr std::int64_t N = 3;
constexpr std::int64_t C = 5;
constexpr std::int64_t H = 4;
constexpr std::int64_t K = 2;
constexpr std::int64_t D = 8;
constexpr std::int64_t V = 7;
constexpr std::int64_t B = 6;
constexpr std::int64_t M = 9;

// The KV cache: two blocks.
View keys() { return f32({2, K, D, attention_block}); }
View values() { return f32({2, K, attention_block, D}); }

Pack packed(DType precision = DType::f32) {
  return {std::make_shared<int>(), Shape{V, C}, precision};
}

// Arguments that fit together, without the queue.
auto right_fill() { return std::tuple(f32({N}), 1.0); }
auto right_copy() { return std::tuple(f32({N, C}), f32({N, C})); }
auto right_add() { return std::tuple(f32({N, C}), f32({N, C})); }
auto right_scale() { return std::tuple(f32({N, C}), f32({1})); }
auto right_embedding_forward() {
  return std::tuple(f32({N, C}), f32({V, C}), i32({N}), std::int64_t{0}, Write::overwrite);
}
auto right_embedding_backward() {
  return std::tuple(f32({V, C}), f32({N, C}), i32({N}), std::int64_t{0});
}
auto right_gather_rows() { return std::tuple(f32({B, C}), f32({N, C}), i32({B})); }
auto right_scatter_add_rows() { return std::tuple(f32({N, C}), f32({B, C}), i32({B})); }
auto right_layer_norm_forward() {
  return std::tuple(f32({N, C}), f32({N}), f32({N}), f32({N, C}), f32({C}), f32({C}), 1e-5);
}
auto right_layer_norm_backward() {
  return std::tuple(f32({N, C}), f32({C}), f32({C}), f32({N, C}), f32({N, C}), f32({C}), f32({N}),
                    f32({N}));
}
auto right_rms_norm_forward() {
  return std::tuple(f32({N, C}), f32({N}), f32({N, C}), f32({C}), 1e-5);
}
auto right_rms_norm_backward() {
  return std::tuple(f32({N, C}), f32({C}), f32({N, C}), f32({N, C}), f32({C}), f32({N}));
}
auto right_rotary() {
  return std::tuple(f32({N, H, D}), f32({N, K, D}), i32({N}), RotaryRule{.dims = 4},
                    Rotation::forward);
}
auto right_pack_weight() { return std::tuple(f32({V, C}), PackFor::forward, DType::f32, Pack()); }
auto right_linear_forward() {
  return std::tuple(f32({N, V}), f32({N, C}), packed(), SumParts(), f32({V}), f32({N, V}));
}
auto right_add_bias() { return std::tuple(f32({N, V}), f32({V}), f32({N, V})); }
auto right_linear_gelu_forward() {
  return std::tuple(f32({N, V}), f32({N, V}), f32({N, C}), packed(), f32({V}), Gelu::erf);
}
/// Two terms of a gradient, which keep what they show.
struct GradientTerms {
  GradientTerms() = default;
  GradientTerms(const GradientTerms&) = delete;
  GradientTerms& operator=(const GradientTerms&) = delete;

  Pack pack = packed();
  std::array<GradientTerm, 2> terms{
      {{.dy = f32({N, V}), .weight = &pack}, {.dy = f32({N, V}), .weight = &pack}}};
};
auto right_linear_input_gradient() {
  static const GradientTerms right;
  return std::tuple(f32({N, C}), std::span<const GradientTerm>(right.terms));
}
auto right_linear_weight_gradient() {
  return std::tuple(f32({V, C}), f32({V}), f32({N, V}), f32({N, C}));
}
auto right_attention_forward() {
  return std::tuple(f32({N, H, D}), f32({N, H}), f32({N, H, D}), f32({N, K, D}), f32({N, K, D}),
                    i32({B + 1}), 0.5);
}
auto right_attention_backward() {
  return std::tuple(f32({N, H, D}), f32({N, K, D}), f32({N, K, D}), f32({N, H, D}), f32({N, H, D}),
                    f32({N, H}), f32({N, H, D}), f32({N, K, D}), f32({N, K, D}), i32({B + 1}), 0.5,
                    SumParts{});
}
auto right_rotary_kv_write() {
  return std::tuple(keys(), values(), f32({N, H, D}), f32({N, K, D}), f32({N, K, D}), i32({N}),
                    i32({N}), RotaryRule{.dims = 4});
}
auto right_kv_copy_block() {
  return std::tuple(keys(), values(), std::int64_t{0}, std::int64_t{1});
}
auto right_decode_attention() {
  return std::tuple(f32({B, H, D}), f32({B, H, D}), keys(), values(), i32({B, M}), i32({B}), 0.5);
}
auto right_gelu_forward() { return std::tuple(f32({N, C}), f32({N, C}), Gelu::erf); }
auto right_gelu_backward() { return std::tuple(f32({N, C}), f32({N, C}), f32({N, C}), Gelu::erf); }
auto right_gated_silu_forward() { return std::tuple(f32({N, C}), f32({N, C}), f32({N, C})); }
auto right_gated_silu_backward() {
  return std::tuple(f32({N, C}), f32({N, C}), f32({N, C}), f32({N, C}), f32({N, C}));
}
auto right_log_softmax_parts() {
  return std::tuple(f64({1, N, 4}), f32({N, V}), i32({N}), std::int64_t{0}, 1.0, SumParts{}, true);
}
auto right_log_softmax_join() { return std::tuple(f32({N}), f32({N}), f32({N}), f64({2, N, 4})); }
auto right_log_softmax_backward() {
  return std::tuple(f32({N, V}), f32({N}), i32({N}), f32({N}), std::int64_t{0}, 1.0);
}
auto right_kl_parts() {
  return std::tuple(f64({1, N}), f32({N, V}), f32({N}), f32({N, V}), f32({N}), 1.0, SumParts{});
}
auto right_kl_join() { return std::tuple(f32({N}), f64({2, N})); }
auto right_sample() {
  return std::tuple(i32({B}), f32({B}), f32({B, V}), i64({B}), i32({B}), SamplingRule{},
                    SumParts{});
}
auto right_sample_part() {
  return std::tuple(f64({B, 2}), f32({B, V}), std::int64_t{0}, i64({B}), i32({B}), SamplingRule{});
}
auto right_sample_join() { return std::tuple(i32({B}), f64({2, B, 2})); }
auto right_sum() { return std::tuple(i64({exact_sum_words}), f32({N, C}), Write::overwrite); }
auto right_sum_of_squares() { return right_sum(); }
auto right_clip_scale() { return std::tuple(f32({1}), f64({1}), f64({1}), 1.0); }
auto right_adamw_step() {
  return std::tuple(f32({N}), f32({N}), f32({N}), f32({N}), f32({1}), AdamW{});
}
auto right_ppo_policy_loss() {
  return std::tuple(f32({N}), i64({4, exact_sum_words}), f64({1}), f32({N}), f32({N}), f32({N}),
                    0.2, 1.0);
}
auto right_ppo_value_loss() {
  return std::tuple(f32({N}), i64({2, exact_sum_words}), f32({N}), f32({N}), f32({N}), 0.2, 1.0);
}
auto right_preference_loss() {
  return std::tuple(f32({2 * B}), i64({2, exact_sum_words}), f32({2 * B}), f64({B}), 1.0);
}

/// The message of the Error that `call` throws, empty if it throws none.
template <class Function>
std::string refusal(const Function& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

std::vector<const Backend*> backends() {
  return {&backend_under_test(), &reference::backend, &counting::as_cpu, &counting::as_cuda};
}

/// What the check says of these arguments; where it refuses them, every backend must say the same.
template <class Check, class Kernel, class Arguments>
std::string refused_alike(const char* name, const Check& check, const Kernel& kernel_of,
                          const Arguments& arguments) {
  const std::string said = refusal([&] {
    std::apply([&](const auto&... x) { check(KernelCall{name, {}}, x...); }, arguments);
  });
  if (said.empty()) {
    return said;
  }
  EXPECT_EQ(said.rfind(std::string("Kernel ") + name + ": ", 0), 0U) << said;
  for (const Backend* backend : backends()) {
    Queue queue = backend->make_queue();
    EXPECT_EQ(refusal([&] {
                std::apply([&](const auto&... x) { (void)kernel_of (*backend)(queue, x...); },
                           arguments);
              }),
              said)
        << backend->name;
  }
  return said;
}

std::vector<View> spoilt(View x) {
  Shape wider = x.shape();
  wider.set(wider.rank() - 1, wider[wider.rank() - 1] + 1);
  Shape other_rank{x.numel()};
  if (x.shape().rank() == 1) {
    other_rank.append(1);
  }
  return {{x.bytes(), DType::u8, x.shape()},
          {x.bytes(), x.dtype(), wider},
          {x.bytes(), x.dtype(), other_rank},
          {}};
}

/// Each tensor among the arguments, spoilt in turn, is refused in one way at least.
template <class Check, class Kernel, class Arguments, std::size_t... at>
void expect_tensors_checked(const char* name, const Check& check, const Kernel& kernel_of,
                            const Arguments& right, std::index_sequence<at...> /*unused*/) {
  EXPECT_EQ(refused_alike(name, check, kernel_of, right), "");
  const auto spoil = [&]<std::size_t place>(std::integral_constant<std::size_t, place>) {
    if constexpr (std::is_same_v<std::tuple_element_t<place, Arguments>, View>) {
      int refusals = 0;
      for (const View& view : spoilt(std::get<place>(right))) {
        Arguments wrong = right;
        std::get<place>(wrong) = view;
        refusals += refused_alike(name, check, kernel_of, wrong).empty() ? 0 : 1;
      }
      // What is filled may have any shape and type.
      EXPECT_TRUE(refusals > 0 || std::string(name) == "fill") << name << ", argument " << place;
    }
  };
  (spoil(std::integral_constant<std::size_t, at>{}), ...);
}

template <class Check, class Kernel, class... Arguments>
void expect_tensors_checked(const char* name, const Check& check, const Kernel& kernel_of,
                            const std::tuple<Arguments...>& right) {
  expect_tensors_checked(name, check, kernel_of, right, std::index_sequence_for<Arguments...>{});
}

TEST(Checks, EveryKernelRefusesWrongTensorsAlikeOnAllBackends) {
#define PRECIS_CASE(Type, name) \
  expect_tensors_checked(       \
      #name, checks::name, [](const Backend& b) -> Type& { return b.name; }, right_##name());
  PRECIS_KERNELS(PRECIS_CASE)
#undef PRECIS_CASE
}

/// right_NAME with argument `place` replaced by `value`.
template <std::size_t place, class Arguments, class Value>
Arguments with(Arguments arguments, const Value& value) {
  std::get<place>(arguments) = value;
  return arguments;
}

// A kernel's name with what refused_alike needs of it.
#define PRECIS_NAMED(name) \
#name, checks::name, [](const Backend& b) -> auto& { return b.name; }

void expect_words(const std::string& message, const char* words) {
  EXPECT_NE(message.find(words), std::string::npos) << "'" << message << "' without: " << words;
}

TEST(Checks, RefuseNumbersOutOfRange) {
  const auto filled = [](DType dtype, double value) {
    return refused_alike(PRECIS_NAMED(fill), std::tuple(zeros_of(dtype, {N}), value));
  };
  expect_words(filled(DType::i32, 0.5), "value is 0.5; expected a number that i32 holds.");
  expect_words(filled(DType::i32, 0x1p31), "expected a number that i32 holds.");
  expect_words(filled(DType::u8, 256.0), "expected a number that u8 holds.");
  expect_words(filled(DType::u8, -1.0), "expected a number that u8 holds.");
  expect_words(filled(DType::i64, std::nan("")), "expected a number that i64 holds.");
  EXPECT_EQ(filled(DType::i32, -0x1p31), "");
  EXPECT_EQ(filled(DType::f32, std::nan("")), "");
  for (const std::int64_t dims : {std::int64_t{0}, std::int64_t{3}, D + 2}) {
    expect_words(
        refused_alike(PRECIS_NAMED(rotary), with<3>(right_rotary(), RotaryRule{.dims = dims})),
        "expected an even number from 2 to the head dimension 8.");
  }
  expect_words(refused_alike(PRECIS_NAMED(rotary_kv_write),
                             with<7>(right_rotary_kv_write(), RotaryRule{.dims = 3})),
               "dims is 3;");
  EXPECT_EQ(refused_alike(PRECIS_NAMED(rotary_kv_write),
                          with<2>(with<7>(right_rotary_kv_write(), RotaryRule{}), View())),
            "");
  for (const std::int64_t to : {-1, 2}) {
    expect_words(refused_alike(PRECIS_NAMED(kv_copy_block), with<3>(right_kv_copy_block(), to)),
                 "the cache has 2 blocks.");
  }
  expect_words(
      refused_alike(PRECIS_NAMED(attention_forward), with<6>(right_attention_forward(), 0.0)),
      "scale is 0; expected a number above 0.");
  expect_words(
      refused_alike(PRECIS_NAMED(attention_forward), with<5>(right_attention_forward(), i32({0}))),
      "offsets is empty; expected B + 1 numbers.");
  expect_words(
      refused_alike(PRECIS_NAMED(decode_attention),
                    with<0>(with<1>(right_decode_attention(), f32({B, 3, D})), f32({B, 3, D}))),
      "there are 3 query heads and 2 key-value heads; expected a multiple.");
  expect_words(
      refused_alike(PRECIS_NAMED(log_softmax_parts), with<4>(right_log_softmax_parts(), 0.0)),
      "the temperature is 0; it must be above 0.");
  expect_words(
      refused_alike(PRECIS_NAMED(log_softmax_backward), with<4>(right_log_softmax_backward(), -1)),
      "the first token is -1; expected at least 0.");
  expect_words(
      refused_alike(PRECIS_NAMED(embedding_forward), with<3>(right_embedding_forward(), -1)),
      "the first row is -1; expected at least 0.");
  expect_words(refused_alike(PRECIS_NAMED(kl_join), with<1>(right_kl_join(), f64({0, N}))),
               "there are no parts to join; expected at least one.");
  expect_words(
      refused_alike(PRECIS_NAMED(sample), with<5>(right_sample(), SamplingRule{.temperature = -1})),
      "the temperature is -1; it must be at least 0.");
  expect_words(refused_alike(PRECIS_NAMED(sample_part),
                             with<5>(right_sample_part(), SamplingRule{.top_k = 2})),
               "top_k is 2 and top_p 1; filters need whole rows of logits.");
  expect_words(refused_alike(PRECIS_NAMED(sample_part), with<2>(right_sample_part(), -1)),
               "the first token is -1; expected at least 0.");
  expect_words(
      refused_alike(PRECIS_NAMED(sample_join), with<1>(right_sample_join(), f64({0, B, 2}))),
      "there are no candidates to choose from; expected one of a share at least.");
  expect_words(
      refused_alike(PRECIS_NAMED(adamw_step), with<5>(right_adamw_step(), AdamW{.update = 0})),
      "the update's number is 0; updates count from 1.");
  expect_words(
      refused_alike(PRECIS_NAMED(preference_loss),
                    std::tuple(f32({3}), i64({2, exact_sum_words}), f32({3}), f64({1}), 1.0)),
      "there are 3 rewards; expected two a pair.");
}

std::string said_of(const GradientTerms& wrong) {
  return refused_alike(
      PRECIS_NAMED(linear_input_gradient),
      with<1>(right_linear_input_gradient(), std::span<const GradientTerm>(wrong.terms)));
}

TEST(Checks, RefusePartsThatDoNotFit) {
  using Bounds = std::vector<std::int64_t>;
  const auto sampled = [](const Bounds& bounds) {
    return refused_alike(PRECIS_NAMED(sample), with<6>(right_sample(), SumParts(bounds)));
  };
  EXPECT_EQ(sampled({}), "");
  EXPECT_EQ(sampled({0, 7}), "");
  EXPECT_EQ(sampled({0, 0, 3, 7, 7}), "");
  expect_words(sampled({0, 3, 5, 7}), "parts has 4 bounds; expected one more than a power of two.");
  expect_words(sampled({0}), "parts has 1 bounds;");
  expect_words(sampled({1, 7}), "parts[0] is 1; expected bounds that rise from 0 to 7.");
  expect_words(sampled({0, 6}), "parts[1] is 6; expected bounds that rise from 0 to 7.");
  expect_words(sampled({0, 5, 4, 6, 7}), "parts[2] is 4; expected bounds that rise from 0 to 7.");
  expect_words(sampled({0, 8, 7}), "parts[1] is 8; expected bounds that rise from 0 to 7.");
  // Two groups of two query heads.
  const auto attended = [](const Bounds& bounds) {
    return refused_alike(PRECIS_NAMED(attention_backward),
                         with<11>(right_attention_backward(), SumParts(bounds)));
  };
  for (const Bounds& bounds : {Bounds{},
                               {0, 4},
                               {0, 2, 4},
                               {0, 0, 4},
                               {0, 0, 2, 4, 4},
                               {0, 1, 2, 3, 4},
                               {0, 1, 2, 2, 4},
                               {0, 0, 1, 2, 2, 3, 3, 4, 4},
                               {0, 1, 2, 4, 4, 4, 4, 4, 4}}) {
    EXPECT_EQ(attended(bounds), "");
  }
  expect_words(attended({0, 1, 4}),
               "part 1 of the heads is 1 to 4; groups have 2 heads, and a part must be within one "
               "or have whole ones.");
  expect_words(attended({0, 0, 1, 2, 3, 4, 4, 4, 4}),
               "the heads 0 to 2 of one key-value head are in parts that are no subtree: the "
               "smallest that holds them, parts 0 to 4, has heads 0 to 3.");
}

TEST(Checks, RefuseWeightsThatWereNotPackedForTheProduct) {
  expect_words(refused_alike(PRECIS_NAMED(linear_forward), with<2>(right_linear_forward(), Pack())),
               "the weight was not packed.");
  GradientTerms of_bf16;
  of_bf16.pack = packed(DType::bf16);
  expect_words(said_of(of_bf16), "the weight was packed for bf16, and the activations are in f32.");
  GradientTerms without_weight;
  without_weight.terms[1].weight = nullptr;
  expect_words(said_of(without_weight), "the weight was not packed.");
}

TEST(Checks, RefuseTermsOfAGradientThatDoNotFitTogether) {
  expect_words(refused_alike(PRECIS_NAMED(linear_input_gradient),
                             with<1>(right_linear_input_gradient(), std::span<GradientTerm>())),
               "there is no term; expected one at least.");
  const auto said = [](const auto& spoil) {
    GradientTerms wrong;
    spoil(wrong.terms);
    return said_of(wrong);
  };
  expect_words(said([](auto& terms) {
                 terms[1].dy = f32({N + 1, V});
               }),
               "argument dy is f32 (4, 7); expected f32 (3, 7)");
  expect_words(said([](auto& terms) {
                 terms[1].dy = i32({N, V});
               }),
               "argument dy is i32 (3, 7); expected f32 (3, 7)");
  const Pack other(std::make_shared<int>(), Shape{V, C + 1}, DType::f32);
  expect_words(said([&](auto& terms) { terms[1].weight = &other; }),
               "a term's weight has 6 inputs, and dx has 5 columns;");
  const std::int64_t halves[] = {0, 3, V};
  expect_words(said([&](auto& terms) { terms[0].parts = halves; }),
               "one term has 3 bounds of parts, another 0; expected as many");
  EXPECT_EQ(said([&](auto& terms) { terms[0].parts = terms[1].parts = halves; }), "");
}

TEST(Checks, RefusePartsThatAreNoneOfTheSum) {
  const auto said = [](std::vector<std::int64_t> bounds) {
    return refused_alike(PRECIS_NAMED(linear_forward),
                         with<3>(right_linear_forward(), SumParts(bounds)));
  };
  EXPECT_EQ(said({0, C}), "");
  EXPECT_EQ(said({0, 0, C, C, C}), "");
  expect_words(said({0, 1, 2, C}),
               "a sum has 4 bounds of parts; expected one more than a power of two.");
  expect_words(said({0}), "a sum has 1 bounds of parts;");
  expect_words(said({0, C + 1}),
               "the bounds of a sum's parts are [0, 6]; expected ascending numbers from 0 to the "
               "inner extent 5.");
  expect_words(said({1, C}), "the bounds of a sum's parts are [1, 5];");
  expect_words(said({0, 3, 2, 4, C}), "the bounds of a sum's parts are [0, 3, 2, 4, 5];");
  expect_words(said({0, -1, C}), "the bounds of a sum's parts are [0, -1, 5];");
}

TEST(Checks, TakeBf16WhereTheBackendHasIt) {
  const View half = zeros_of(DType::bf16, {N});
  const auto said = [&](bool has_bf16) {
    return refusal([&] { checks::add({"add", {.has_bf16 = has_bf16}}, half, half); });
  };
  EXPECT_EQ(said(true), "");
  expect_words(said(false),
               "argument x is bf16 (3); expected f32 (3). This kernel computes in f32 "
               "only; set precision = f32.");
  const auto packs = [&](bool has_bf16) {
    return refusal([&] {
      checks::pack_weight({"pack_weight", {.has_bf16 = has_bf16}}, f32({V, C}), PackFor::forward,
                          DType::bf16, Pack());
    });
  };
  EXPECT_EQ(packs(true), "");
  expect_words(packs(false), "packs weights for products in f32, not in bf16");
}

/// Backends on whose memory the host can look: the numbers in lists are checked as well.
TEST(Checks, RefuseNumbersInListsThatPointOutside) {
  for (const Backend* backend : {&cpu::backend, &reference::backend}) {
    SCOPED_TRACE(backend->name);
    Queue queue = backend->make_queue();
    const auto said = [&](const auto& kernel, const auto& arguments) {
      return refusal(
          [&] { std::apply([&](const auto&... x) { kernel(queue, x...); }, arguments); });
    };
    std::vector<std::int32_t> list;
    const auto list_of = [&](std::vector<std::int32_t> numbers, const Shape& shape) {
      list = std::move(numbers);
      return view_of(list.data(), shape);
    };
    expect_words(said(backend->attention_forward,
                      with<5>(right_attention_forward(), list_of({0, 2, 4}, {3}))),
                 "Kernel attention_forward: offsets[2] is 4; expected a number from 2 to 3.");
    expect_words(said(backend->attention_backward,
                      with<9>(right_attention_backward(), list_of({0, 2, 1}, {3}))),
                 "Kernel attention_backward: offsets[2] is 1; expected a number from 2 to 3.");
    expect_words(
        said(backend->rotary_kv_write, with<6>(right_rotary_kv_write(), list_of({0, 63, 64}, {3}))),
        "slots[2] is 64; expected a place in 2 blocks of 32.");
    expect_words(said(backend->decode_attention,
                      with<5>(right_decode_attention(), list_of({1, 1, 0, 1, 1, 1}, {B}))),
                 "lengths[2] is 0; expected a number from 1 to 288.");
    std::vector<std::int32_t> lengths(B, 33);
    std::vector<std::int32_t> tables(B * M, 0);
    tables[M + 1] = 2;
    expect_words(
        said(backend->decode_attention, with<4>(with<5>(right_decode_attention(), view_of(lengths)),
                                                view_of(tables.data(), Shape{B, M}))),
        "tables[1, 1] is 2; the cache has 2 blocks.");
  }
}

TEST(Checks, CopiesBetweenHostAndDeviceHaveOneShapeAndType) {
  for (const Backend* backend : backends()) {
    Queue queue = backend->make_queue();
    const std::string words =
        "A copy from f32 (3) to i32 (3) was asked for; both must have the "
        "same shape and element type.";
    EXPECT_EQ(refusal([&] { backend->copy_to_device(queue, i32({N}), f32({N})); }), words);
    EXPECT_EQ(refusal([&] { backend->copy_to_host(queue, i32({N}), f32({N})); }), words);
  }
}

}  // namespace
}  // namespace precis::test
