"""An argument parser that speaks in one sentence, and the arguments several commands share."""

from __future__ import annotations

import argparse
import difflib
import re
from typing import TYPE_CHECKING, Any, NoReturn

from core import registry
from core.errors import ParameterError, UnknownNameError
from core.params import (
    AUTO,
    DEFAULT_METHOD,
    GRID_SIDE,
    KEEP_COLORS,
    PARAMS,
    STRENGTHS,
    PaintParams,
    ParamSpec,
    Share,
    mixed,
    of_two,
    own_params,
)

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from core.specs import MethodSpec

    Subcommands = _SubParsersAction[Any]
else:
    Subcommands = Any

KEEP_COLORS_PLAIN = "luminance"
"""What a bare ``--keep-colors`` means."""


class HelpFormatter(argparse.HelpFormatter):
    """Wraps a description of one paragraph, leaves examples of several lines as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if "\n" in text:
            return "\n".join(indent + line for line in text.splitlines())
        return super()._fill_text(text, width, indent)


class Parser(argparse.ArgumentParser):
    """argparse whose errors are ``ParameterError`` with one sentence, and a suggestion where it helps."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("formatter_class", HelpFormatter)
        kwargs.setdefault("allow_abbrev", False)
        super().__init__(*args, **kwargs)

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing usage and leaving."""
        unknown = re.match(r"unrecognized arguments: (\S+)", message)
        if unknown:
            option = unknown[1].partition("=")[0]
            if not option.startswith("-"):
                raise ParameterError(f"There is one argument too many: '{option}'; see '{self.prog} --help'.")
            known = [name for action in self._actions for name in action.option_strings]
            close = difflib.get_close_matches(option, known, n=1, cutoff=0.5)
            hint = f"did you mean '{close[0]}'?" if close else f"see '{self.prog} --help'."
            raise ParameterError(f"There is no option '{option}'; {hint}")
        if missing := re.match(r"the following arguments are required: (.*)", message):
            raise ParameterError(f"Missing: {missing[1]}; see '{self.prog} --help'.")
        sentence = re.sub(r"^argument ", "", message).rstrip(".")
        raise ParameterError(f"{sentence[0].upper()}{sentence[1:]}; see '{self.prog} --help'.")

    def parse_known_intermixed_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse does it, but for commands with subcommands of their own, which cannot be intermixed."""
        if self._subparsers is not None:
            return self.parse_known_args(args, namespace)
        return super().parse_known_intermixed_args(args, namespace)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            name = "/".join(action.option_strings) or str(action.metavar or action.dest)
            raise UnknownNameError(f"value of {name}", str(value), map(str, action.choices))


def add_painting_arguments(parser: argparse.ArgumentParser) -> None:
    """PHOTO… STYLE, -o and the parameters of a painting, as ``core.params`` defines them."""
    parser.add_argument("photos", nargs="+", metavar="PHOTO", help="photo, or a folder of photos")
    parser.add_argument(
        "style", metavar="STYLE", help="a name from 'allaprima styles', or a picture whose manner is taken"
    )
    parser.add_argument(
        "-o",
        "--out",
        required=True,
        metavar="OUT",
        help="the picture to write (.png is lossless; .jpg, .webp), or for several photos a folder "
        "that gets OUT/<photo's name>.png",
    )
    size, seed = PARAMS["size"], PARAMS["seed"]
    group = parser.add_argument_group("how it is painted")
    group.add_argument(
        "--method",
        default=AUTO,
        metavar="NAME",
        help="one of 'allaprima methods' (%(default)s unless given: in styles of the gallery the network that has learned "
        f"them, in any other {DEFAULT_METHOD})",
    )
    for name in STRENGTHS:
        spec = PARAMS[name]
        group.add_argument(
            option(name),
            type=float,
            metavar="A",
            help=f"{spec.label.lower()}, {spec.minimum:g} to {spec.maximum:g}: {lower_first(spec.help)} "
            f"({spec.default:g} unless given{'; sets both of the next two' if name == 'alpha' else ''})",
        )
    group.add_argument(
        "--style-low",
        metavar="STYLE",
        help="another style for colours and shapes; STYLE then paints the strokes only",
    )
    group.add_argument(
        "--mix",
        action="append",
        default=[],
        metavar="STYLE=WEIGHT",
        help="one more style with its weight beside STYLE's, which is 1 unless named here too; "
        "STYLE=WEIGHT/WEIGHT weighs strokes and colours apart; may be repeated",
    )
    add_mask_arguments(group)
    group.add_argument(
        "--grid",
        action="store_true",
        help="instead of one painting a sheet of small ones over both strengths",
    )
    group.add_argument(
        "--keep-colors",
        nargs="?",
        const=KEEP_COLORS_PLAIN,
        default=PARAMS["keep_colors"].default,
        metavar="MODE",
        help=f"keep the photo's colours. {PARAMS['keep_colors'].help} Without MODE: {KEEP_COLORS_PLAIN}.",
    )
    group.add_argument(
        "--size", type=int, default=size.default, metavar="N", help="longest side of the result in pixels"
    )
    group.add_argument(
        "--metadata",
        action="store_true",
        help="write the photo's date and camera into the result, never its place (nothing unless given)",
    )
    group.add_argument("--seed", type=int, default=seed.default, metavar="N", help=lower_first(seed.help))
    own = parser.add_argument_group("what single methods take besides ('allaprima methods --params')")
    for spec in own_params():
        add_own_param(own, spec)
    own.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter of a method of your own; may be repeated",
    )


def add_mask_arguments(group: argparse._ActionsContainer) -> None:
    """The options that say where a style paints, and which part of its picture counts; ``worker.cli.files.MaskFiles`` reads
    them."""
    group.add_argument(
        "--mask",
        action="append",
        default=[],
        metavar="STYLE=FILE",
        help="where a style paints: a black and white picture, white within; styles without one paint the rest, and where "
        "none paints, the photo stays as it is; may be repeated",
    )
    group.add_argument(
        "--style-mask",
        action="append",
        default=[],
        metavar="STYLE=FILE",
        help="which part of a style's picture counts, white within; of methods that optimise only; may be repeated",
    )


def add_own_param(group: argparse._ArgumentGroup, spec: ParamSpec) -> None:
    """The option of one parameter of a method's own."""
    allowed = ", ".join(spec.choices) if spec.choices else ""
    if spec.minimum is not None and spec.maximum is not None:
        allowed = f"{spec.minimum:g} to {spec.maximum:g}"
    known = f"{spec.label.lower()}{f', {allowed}' if allowed else ''}: {lower_first(spec.help)}"
    group.add_argument(
        option(spec.name),
        type=spec.type,
        metavar=spec.metavar,
        help=f"{known.rstrip('.')} ({spec.default} unless given)".replace("%", "%%"),
    )


def own_values(args: argparse.Namespace, method: MethodSpec) -> dict[str, Any]:
    """Parameters of the method's own that were given, by their options and by ``--set``. Raises ``ParameterError`` for
    those that it does not take."""
    named = {spec.name: getattr(args, spec.name, None) for spec in own_params()}
    given: dict[str, Any] = {name: value for name, value in named.items() if value is not None}
    for text in args.set:
        name, sign, value = text.partition("=")
        if not sign or not name.strip():
            raise ParameterError(f"'{text}' is no parameter; write NAME=VALUE.")
        given[name.strip().replace("-", "_")] = value.strip()
    for name in given:
        if name not in method.params:
            takes = [spec.name for spec in registry.methods() if name in spec.params]
            hint = f"; it belongs to --method {' or '.join(takes)}" if takes else ""
            raise ParameterError(f"'{method.name}' does not take {option(name)}{hint}.")
    return given


def painting_params(args: argparse.Namespace) -> PaintParams:
    """The parameters given on the command line; raises ``ParameterError`` or ``UnknownNameError``."""
    method = asked_method(args)
    if args.keep_colors not in KEEP_COLORS:
        raise ParameterError(
            f"--keep-colors takes {', '.join(KEEP_COLORS)} or nothing, not '{args.keep_colors}'; "
            "where STYLE follows it, put it at the end."
        )
    for name in (*STRENGTHS, "size"):
        check_range(name, getattr(args, name))
    params = PaintParams.parse(
        method=method.name,
        keep_colors=args.keep_colors,
        size=args.size,
        seed=args.seed,
        grid=args.grid,
        **method.strengths(args.alpha, args.alpha_high, args.alpha_low),
        own=own_values(args, method),
    )
    params = mixed(params, painting_shares(args))
    asked = ("alpha_high", "alpha_low", "style_low", "grid")
    needs = [
        option(name) for name in asked if getattr(args, name) is not None and getattr(args, name) is not False
    ]
    if params.weights_high:
        needs.append("--mix with two weights")
    if needs and not method.has_bands:
        able = [spec.name for spec in registry.methods() if spec.has_bands]
        hint = f"; choose --method {' or '.join(able)}" if able else ""
        raise ParameterError(f"{needs[0]}: '{method.name}' does not tell strokes from colours{hint}.")
    if params.grid:
        params = params.model_copy(update={"size": params.size or GRID_SIDE})
    return params


def asked_method(args: argparse.Namespace) -> MethodSpec:
    """The method of ``--method``, or the best for the styles; raises ``UnknownNameError``, and ``ParameterError`` for styles
    that are said wrongly."""
    from worker.cli.files import gallery_style

    if args.method != AUTO:
        return registry.method(args.method)
    return registry.best(gallery_style(share.style) for share in painting_shares(args))


def check_range(name: str, value: float | None) -> None:
    """Raises ``ParameterError`` where a value is given that lies outside the range of the parameter ``name``."""
    spec = PARAMS[name]
    if value is not None and not (spec.minimum or 0) <= value <= (spec.maximum or value):
        raise ParameterError(
            f"{option(name)} must lie between {spec.minimum:g} and {spec.maximum:g}, not {value:g}."
        )


def painting_shares(args: argparse.Namespace) -> list[Share]:
    """STYLE, and what ``--style-low`` and ``--mix`` add to it; raises ``ParameterError``."""
    if args.style_low is not None and args.mix:
        raise ParameterError("--style-low and --mix cannot go together; --mix STYLE=0/1 gives colours only.")
    if args.style_low is not None:
        return of_two(args.style, args.style_low)
    shares = {args.style: Share(args.style, 1.0, 1.0)}
    shares |= {share.style: share for share in map(Share.parse, args.mix)}
    return list(shares.values())


def option(name: str) -> str:
    """A parameter's name on the command line."""
    return f"--{name.replace('_', '-')}"


def lower_first(text: str) -> str:
    """``text`` with a small first letter, to go on after a comma."""
    return text[:1].lower() + text[1:]
