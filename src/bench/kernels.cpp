#include "bench/kernels.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

namespace precis {
namespace {

/// For the vocabulary's products and losses, so that logits stay small beside the weights.
constexpr std::int64_t most_positions = 256;
/// For AdamW: 1 GiB in four buffers.
constexpr std::int64_t most_parameters = std::int64_t{1} << 26;

/// Bytes of f32 elements.
constexpr double f32_bytes = 4;

double number(std::int64_t x) { return static_cast<double>(x); }

class KernelTimes {
 public:
  KernelTimes(const Timing& timing, RandomTensors& random, const ModelConfig& config,
              const KernelSizes& sizes)
      : timing_(timing),
        device_(timing.device()),
        kernels_(device_.backend()),
        queue_(device_.queue()),
        random_(random),
        c_(config),
        sizes_(sizes),
        tokens_(sizes.batch * sizes.length),
        precision_(device_.precision()),
        element_(number(size_of(precision_))) {}

  [[nodiscard]] std::vector<Measurement> all() {
    linear(tokens_, c_.width, c_.query_width(), precision_);
    linear(tokens_, c_.width, c_.mlp_width, precision_);
    linear(tokens_, c_.mlp_width, c_.width, precision_);
    linear(std::min(tokens_, most_positions), c_.width, c_.vocabulary, DType::f32);  // logits
    linear_gelu(tokens_);
    attention();
    for (const std::int64_t sequences : sizes_.sequences) {
      linear_forward(sequences, c_.width, c_.mlp_width, precision_);
      linear_gelu(sequences);
      rotary_kv_write(sequences);
      decode_attention(sequences);
    }
    vocabulary(std::min(tokens_, most_positions));
    norm();
    activation();
    adamw(std::min(parameter_count(c_), most_parameters));
    for (const std::int64_t sequences : sizes_.sequences) {
      sample(sequences);
    }
    return std::move(out_);
  }

 private:
  void add(std::string name, WorkSize work, const std::function<void()>& call) {
    out_.push_back({std::move(name), work, 0, timing_.seconds(call)});
  }

  [[nodiscard]] Gelu gelu_kind() const {
    return c_.activation == ActivationKind::gelu_erf ? Gelu::erf : Gelu::tanh;
  }
  [[nodiscard]] Tensor activations(const Shape& shape) { return random_.make(shape, precision_); }
  [[nodiscard]] Tensor numbers(const Shape& shape) { return random_.make(shape, DType::f32); }
  [[nodiscard]] Tensor indices(std::int64_t count, std::int64_t below) {
    std::vector<std::int32_t> host;
    for (std::int64_t i = 0; i < count; ++i) {
      host.push_back(static_cast<std::int32_t>(i * 7919 % below));
    }
    return tensor_of(device_, host, {count});
  }

  /// 2 N in out FLOP; x, the weight and y.
  [[nodiscard]] WorkSize product(std::int64_t rows, std::int64_t in, std::int64_t out,
                                 DType of_y) const {
    return {2 * number(rows) * number(in) * number(out),
            element_ * number(rows * in + in * out) + number(size_of(of_y)) * number(rows * out)};
  }

  void linear_forward(std::int64_t rows, std::int64_t in, std::int64_t out, DType of_y) {
    const Tensor x = activations({rows, in});
    const Tensor weight = numbers({out, in});
    const Tensor bias = random_.make({out}, of_y);
    Tensor y = device_.allocate({rows, out}, of_y);
    const Pack pack = kernels_.pack_weight(queue_, weight.view(), PackFor::forward, precision_, {});
    add(fmt::format("linear forward {} x {} -> {}", rows, in, out), product(rows, in, out, of_y),
        [&] { kernels_.linear_forward(queue_, y.view(), x.view(), pack, {}, bias.view(), {}); });
  }

  /// A product and its GELU by one call, as in inference and as in training, and by two. Those of
  /// training have the same work.
  void linear_gelu(std::int64_t rows) {
    if (c_.activation == ActivationKind::gated_silu) {
      return;
    }
    const Gelu kind = gelu_kind();
    const Tensor x = activations({rows, c_.width});
    const Tensor weight = numbers({c_.mlp_width, c_.width});
    const Tensor bias = activations({c_.mlp_width});
    Tensor y = device_.allocate({rows, c_.mlp_width}, precision_);
    Tensor activated = device_.allocate({rows, c_.mlp_width}, precision_);
    const Pack pack = kernels_.pack_weight(queue_, weight.view(), PackFor::forward, precision_, {});
    const std::string shape = fmt::format("{} x {} -> {}", rows, c_.width, c_.mlp_width);
    const WorkSize one_result = product(rows, c_.width, c_.mlp_width, precision_);
    const WorkSize both{one_result.flop, one_result.bytes + element_ * number(rows * c_.mlp_width)};
    add("GELU with linear, inference " + shape, one_result, [&] {
      kernels_.linear_gelu_forward(queue_, activated.view(), {}, x.view(), pack, bias.view(), kind);
    });
    add("GELU with linear " + shape, both, [&] {
      kernels_.linear_gelu_forward(queue_, activated.view(), y.view(), x.view(), pack, bias.view(),
                                   kind);
    });
    add("GELU after linear " + shape, both, [&] {
      kernels_.linear_forward(queue_, y.view(), x.view(), pack, {}, bias.view(), {});
      kernels_.gelu_forward(queue_, activated.view(), y.view(), kind);
    });
  }

  /// A decode step's queries and keys turned and its keys and values cached, by one call and by
  /// two, of the same work: q and k read and written, v read, two of the size of k cached.
  void rotary_kv_write(std::int64_t sequences) {
    if (c_.rotary_dims() == 0) {
      return;
    }
    Tensor q = activations({sequences, c_.heads, c_.head_dim});
    Tensor k = activations({sequences, c_.kv_heads, c_.head_dim});
    const Tensor v = activations(k.shape());
    Tensor keys = activations({sequences, c_.kv_heads, c_.head_dim, attention_block});
    Tensor values = activations({sequences, c_.kv_heads, attention_block, c_.head_dim});
    const Tensor positions = indices(sequences, c_.context);
    std::vector<std::int32_t> places;
    for (std::int64_t b = 0; b < sequences; ++b) {
      places.push_back(static_cast<std::int32_t>(b * attention_block));
    }
    const Tensor slots = tensor_of(device_, places, {sequences});
    const RotaryRule rule{.dims = c_.rotary_dims(), .base = c_.rotary_base};
    const std::string shape = fmt::format("{} x ({} + {}) heads of {}", sequences, c_.heads,
                                          2 * c_.kv_heads, c_.head_dim);
    const WorkSize work{0, element_ * number(2 * q.shape().numel() + 5 * k.shape().numel())};
    add("KV write with rotary " + shape, work, [&] {
      kernels_.rotary_kv_write(queue_, keys.view(), values.view(), q.view(), k.view(), v.view(),
                               positions.view(), slots.view(), rule);
    });
    add("KV write after rotary " + shape, work, [&] {
      kernels_.rotary(queue_, q.view(), k.view(), positions.view(), rule, Rotation::forward);
      kernels_.rotary_kv_write(queue_, keys.view(), values.view(), {}, k.view(), v.view(), {},
                               slots.view(), {});
    });
  }

  void linear(std::int64_t rows, std::int64_t in, std::int64_t out, DType of_y) {
    linear_forward(rows, in, out, of_y);
    const Tensor x = activations({rows, in});
    const Tensor dy = activations({rows, out});
    {
      const Tensor weight = numbers({out, in});
      Tensor dx = device_.allocate({rows, in}, precision_);
      const Pack pack =
          kernels_.pack_weight(queue_, weight.view(), PackFor::input_gradient, precision_, {});
      add(fmt::format("linear input gradient {} x {} -> {}", rows, out, in),
          product(rows, out, in, precision_), [&] {
            const GradientTerm term{.dy = dy.view(), .weight = &pack};
            kernels_.linear_input_gradient(queue_, dx.view(), {&term, 1});
          });
    }
    Tensor dweight = device_.zeros({out, in});
    Tensor dbias = device_.zeros({out});
    // The gradient is f32, read and written.
    const WorkSize work{
        product(rows, in, out, of_y).flop,
        element_ * (number(rows * in) + number(rows * out)) + 2 * f32_bytes * number(in * out)};
    add(fmt::format("linear weight gradient {} x {} of {}", out, in, rows), work, [&] {
      kernels_.linear_weight_gradient(queue_, dweight.view(), dbias.view(), dy.view(), x.view());
    });
  }

  /// Forward two products for each pair of a query and a key that is not after it, 2 D FLOP each a
  /// head; backward five. All of q, k, v, out and their gradients once.
  void attention() {
    const Shape of_queries{tokens_, c_.heads, c_.head_dim};
    const Shape of_keys{tokens_, c_.kv_heads, c_.head_dim};
    const Tensor q = activations(of_queries);
    const Tensor k = activations(of_keys);
    const Tensor v = activations(of_keys);
    const Tensor dout = activations(of_queries);
    Tensor out = device_.allocate(of_queries, precision_);
    Tensor dq = device_.allocate(of_queries, precision_);
    Tensor dk = device_.allocate(of_keys, precision_);
    Tensor dv = device_.allocate(of_keys, precision_);
    Tensor log_sum_exp = device_.allocate({tokens_, c_.heads});
    std::vector<std::int32_t> ends;
    for (std::int64_t b = 0; b <= sizes_.batch; ++b) {
      ends.push_back(static_cast<std::int32_t>(b * sizes_.length));
    }
    const Tensor offsets = tensor_of(device_, ends, {sizes_.batch + 1});
    const double scale = 1 / std::sqrt(number(c_.head_dim));
    const double pairs = number(tokens_) * number(sizes_.length + 1) / 2;
    const double one_product = 2 * pairs * number(c_.query_width());
    const double both_sides = element_ * number(2 * tokens_ * (c_.query_width() + c_.kv_width()));
    const double sums = f32_bytes * number(tokens_ * c_.heads);
    const std::string shape =
        fmt::format("{} x {}, {} heads of {}", sizes_.batch, sizes_.length, c_.heads, c_.head_dim);
    add("attention forward " + shape, {2 * one_product, both_sides + sums}, [&] {
      kernels_.attention_forward(queue_, out.view(), log_sum_exp.view(), q.view(), k.view(),
                                 v.view(), offsets.view(), scale);
    });
    add("attention backward " + shape, {5 * one_product, 2 * both_sides + sums}, [&] {
      kernels_.attention_backward(queue_, dq.view(), dk.view(), dv.view(), dout.view(), out.view(),
                                  log_sum_exp.view(), q.view(), k.view(), v.view(), offsets.view(),
                                  scale, {});
    });
  }

  /// The cached keys and values of all sequences; two products of a query and each of its keys.
  void decode_attention(std::int64_t sequences) {
    const std::int64_t of_sequence = (sizes_.cached + attention_block - 1) / attention_block;
    const std::int64_t blocks = sequences * of_sequence;
    const Tensor q = activations({sequences, c_.heads, c_.head_dim});
    Tensor out = device_.allocate({sequences, c_.heads, c_.head_dim}, precision_);
    const Tensor keys = activations({blocks, c_.kv_heads, c_.head_dim, attention_block});
    const Tensor values = activations({blocks, c_.kv_heads, attention_block, c_.head_dim});
    std::vector<std::int32_t> order(static_cast<std::size_t>(blocks));
    std::iota(order.begin(), order.end(), 0);
    const Tensor tables = tensor_of(device_, order, {sequences, of_sequence});
    const Tensor lengths =
        tensor_of(device_,
                  std::vector<std::int32_t>(static_cast<std::size_t>(sequences),
                                            static_cast<std::int32_t>(sizes_.cached)),
                  {sequences});
    const double cached = number(sequences * sizes_.cached);
    const WorkSize work{
        4 * cached * number(c_.query_width()),
        element_ * 2 * (cached * number(c_.kv_width()) + number(sequences * c_.query_width()))};
    add(fmt::format("decode attention {} x {}", sequences, sizes_.cached), work, [&] {
      kernels_.decode_attention(queue_, out.view(), q.view(), keys.view(), values.view(),
                                tables.view(), lengths.view(), 1 / std::sqrt(number(c_.head_dim)));
    });
  }

  /// The logits read, and for the gradient read and written.
  void vocabulary(std::int64_t positions) {
    Tensor logits = numbers({positions, c_.vocabulary});
    const Tensor targets = indices(positions, c_.vocabulary);
    const Tensor dlogprob = numbers({positions});
    Tensor logprob = device_.allocate({positions});
    Tensor log_sum_exp = device_.allocate({positions});
    Tensor partials = device_.allocate({1, positions, 4}, DType::f64);
    const double bytes = f32_bytes * number(positions * c_.vocabulary);
    const std::string shape = fmt::format("{} x {}", positions, c_.vocabulary);
    add("vocabulary loss forward " + shape, {0, bytes}, [&] {
      kernels_.log_softmax_parts(queue_, partials.view(), logits.view(), targets.view(), 0, 1.0, {},
                                 false);
      kernels_.log_softmax_join(queue_, logprob.view(), log_sum_exp.view(), {}, partials.view());
    });
    add("vocabulary loss backward " + shape, {0, 2 * bytes}, [&] {
      kernels_.log_softmax_backward(queue_, logits.view(), log_sum_exp.view(), targets.view(),
                                    dlogprob.view(), 0, 1.0);
    });
  }

  /// Forward x and out; backward x and dout, and dx read and written.
  void norm() {
    const Shape shape{tokens_, c_.width};
    const Tensor x = activations(shape);
    const Tensor dout = activations(shape);
    const Tensor weight = numbers({c_.width});
    const Tensor bias = numbers({c_.width});
    Tensor out = device_.allocate(shape, precision_);
    Tensor dx = device_.zeros(shape, precision_);
    Tensor dweight = device_.zeros({c_.width});
    Tensor dbias = device_.zeros({c_.width});
    Tensor mean = device_.allocate({tokens_});
    Tensor rstd = device_.allocate({tokens_});
    const double bytes = element_ * number(shape.numel());
    const bool layer_norm = c_.norm == NormKind::layer_norm;
    const std::string size = fmt::format("{} x {}", tokens_, c_.width);
    add("norm forward " + size, {0, 2 * bytes}, [&] {
      if (layer_norm) {
        kernels_.layer_norm_forward(queue_, out.view(), mean.view(), rstd.view(), x.view(),
                                    weight.view(), bias.view(), c_.norm_epsilon);
      } else {
        kernels_.rms_norm_forward(queue_, out.view(), rstd.view(), x.view(), weight.view(),
                                  c_.norm_epsilon);
      }
    });
    add("norm backward " + size, {0, 4 * bytes}, [&] {
      if (layer_norm) {
        kernels_.layer_norm_backward(queue_, dx.view(), dweight.view(), dbias.view(), dout.view(),
                                     x.view(), weight.view(), mean.view(), rstd.view());
      } else {
        kernels_.rms_norm_backward(queue_, dx.view(), dweight.view(), dout.view(), x.view(),
                                   weight.view(), rstd.view());
      }
    });
  }

  /// GELU: forward 2 tensors, backward 3; gated SiLU: forward 3, backward 5.
  void activation() {
    const Shape shape{tokens_, c_.mlp_width};
    const bool gated = c_.activation == ActivationKind::gated_silu;
    const Gelu kind = gelu_kind();
    const Tensor x = activations(shape);
    const Tensor gate = gated ? activations(shape) : Tensor();
    const Tensor dout = activations(shape);
    Tensor out = device_.allocate(shape, precision_);
    Tensor dx = device_.allocate(shape, precision_);
    Tensor dgate = gated ? device_.allocate(shape, precision_) : Tensor();
    const double bytes = element_ * number(shape.numel());
    const std::string size = fmt::format("{} x {}", tokens_, c_.mlp_width);
    add("activation forward " + size, {0, (gated ? 3 : 2) * bytes}, [&] {
      if (gated) {
        kernels_.gated_silu_forward(queue_, out.view(), gate.view(), x.view());
      } else {
        kernels_.gelu_forward(queue_, out.view(), x.view(), kind);
      }
    });
    add("activation backward " + size, {0, (gated ? 5 : 3) * bytes}, [&] {
      if (gated) {
        kernels_.gated_silu_backward(queue_, dgate.view(), dx.view(), dout.view(), gate.view(),
                                     x.view());
      } else {
        kernels_.gelu_backward(queue_, dx.view(), dout.view(), x.view(), kind);
      }
    });
  }

  /// The gradient read; parameter and moments read and written.
  void adamw(std::int64_t count) {
    Tensor parameter = numbers({count});
    const Tensor gradient = numbers({count});
    Tensor first = device_.zeros({count});
    Tensor second = device_.zeros({count});
    const Tensor scale = tensor_of(device_, std::vector<float>{1.0F}, {1});
    add(fmt::format("AdamW {}", count), {0, 7 * f32_bytes * number(count)}, [&] {
      kernels_.adamw_step(queue_, parameter.view(), first.view(), second.view(), gradient.view(),
                          scale.view(), AdamW{.rate = 1e-5});
    });
  }

  /// The logits read.
  void sample(std::int64_t sequences) {
    const Tensor logits = numbers({sequences, c_.vocabulary});
    const Tensor positions = indices(sequences, c_.context);
    std::vector<std::int64_t> numbers_of(static_cast<std::size_t>(sequences));
    std::iota(numbers_of.begin(), numbers_of.end(), 0);
    const Tensor episodes = tensor_of(device_, numbers_of, {sequences});
    Tensor sampled = device_.allocate({sequences}, DType::i32);
    Tensor logprob = device_.allocate({sequences});
    add(fmt::format("sampling {} x {}", sequences, c_.vocabulary),
        {0, f32_bytes * number(sequences * c_.vocabulary)}, [&] {
          kernels_.sample(queue_, sampled.view(), logprob.view(), logits.view(), episodes.view(),
                          positions.view(), SamplingRule{.seed = 1}, {});
        });
  }

  const Timing& timing_;
  Device& device_;
  const Backend& kernels_;
  Queue& queue_;
  RandomTensors& random_;
  const ModelConfig& c_;
  const KernelSizes& sizes_;
  std::int64_t tokens_;
  DType precision_;
  double element_;  // bytes of an activation
  std::vector<Measurement> out_;
};

}  // namespace

std::vector<Measurement> measure_kernels(const Timing& timing, RandomTensors& random,
                                         const ModelConfig& config, const KernelSizes& sizes) {
  return KernelTimes(timing, random, config, sizes).all();
}

}  // namespace precis
