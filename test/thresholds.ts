// What is asked of whole models, where no bound of one op applies: each figure with its reason.

/** A float64 replay against PyTorch's float64 recording, ‖a−b‖/‖b‖: measured below 10⁻¹⁴, room for other sums' orders. */
export const FLOAT64_REPLAY = 1e-11;

/** A float32 replay against a recording, ‖a−b‖/‖b‖: measured below 2·10⁻⁶, room for longer sums and more layers. */
export const FLOAT32_REPLAY = 1e-4;

/** An op evaluated on what a float64 replay recorded as its inputs gives its recorded outputs: they are the same bits. */
export const RECORDED_INSTANCE = 0;

/**
 * Central differences against gradients in float64, |difference| / (|gradient| + 10⁻³). With a step of 10⁻⁵ a loss near 3
 * has a rounding error near 10⁻¹⁵ · 3 / 10⁻⁵ and a truncation error of 10⁻¹⁰ times the third derivative.
 */
export const CENTRAL_DIFFERENCE = 1e-6;
export const CENTRAL_DIFFERENCE_FLOOR = 1e-3;
export const CENTRAL_DIFFERENCE_STEP = 1e-5;

/**
 * Logits of llama.cpp, from float32 weights with a float32 cache, against the reference's, |a−b|. Measured at logits up to
 * 4: 2·10⁻⁶; at logits up to 22, and llama.cpp's angles: 7·10⁻⁶, what float32 rounds at each step of either.
 */
export const LLAMA_CPP_LOGITS = 1e-5;

/**
 * The same of weights in 16 bits, in units of roundoff of the largest logit: llama.cpp rounds what enters a product to the
 * weights' dtype. Measured: 1.
 */
export const LLAMA_CPP_HALVES = 4;

/** A loss on the device against the reference's over tens of steps: rounding that both passes and AdamW carry on. */
export const STEP_LOSS = 1e-3;

/**
 * The same in mixed precision, where every activation is off by up to 2⁻⁹ of itself: measured 0.014 at losses near 4, room for
 * devices that round otherwise.
 */
export const STEP_LOSS_BFLOAT16 = 0.04;

/**
 * A step on any layout of ranks against the dense step in float64, ‖a−b‖/‖b‖ of each weight and moment: the same terms in
 * another order. Measured below 10⁻¹³ on small models; room for gradients whose terms cancel.
 */
export const PARALLEL_STEP = 1e-12;
